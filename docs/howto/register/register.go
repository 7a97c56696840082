// Keeps a backend registered at ksgate.  Nothing but the standard library.
//
// In a service, copy Registration and its methods:
//
//	r := Registration{Gateway: "http://gateway:8080", Extension: "devops", ID: "pod-7f9c",
//		URL: "http://10.0.0.7:8080", Lease: 15 * time.Second, TokenFile: "/etc/devops/token"}
//	go r.Keep(ctx) // leaves when ctx is done
//
// By itself:
//
//	go run register.go GATEWAY EXTENSION ID URL [TOKEN_FILE]
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Registration says what is registered where.  The token file (may be empty) is read at each
// request, so it may rotate.
type Registration struct {
	Gateway, Extension, ID, URL string
	Lease                       time.Duration // how long the gateway keeps it without hearing from us
	TokenFile                   string
	Version                     string // of the extension, that runs here; may be empty
}

// ErrRefused is what will not become right by asking again.
var ErrRefused = errors.New("refused")

// The longest request, however long the lease, and the farewell: who stops us may not wait long.
const callTime, leaveTime = 5 * time.Second, 2 * time.Second

// The first line of the token file.
func (r *Registration) token() (string, error) {
	text, err := os.ReadFile(r.TokenFile)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "", fmt.Errorf("%s: no token is in it", r.TokenFile)
	}
	return line, nil
}

// The status, 0 when there is no answer.  A request that has begun is not given up before its time:
// what comes of it says whether there is something to leave.
func (r *Registration) call(method string, most time.Duration) (int, error) {
	path := strings.TrimRight(r.Gateway, "/") + "/-/apis/ksgate.io/v1/extensionservices/" +
		url.PathEscape(r.Extension) + "/endpoints/" + url.PathEscape(r.ID)
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	content, err := json.Marshal(map[string]any{
		"url": r.URL, "leaseSeconds": int(r.Lease / time.Second), "version": r.Version})
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, method, path, bytes.NewReader(content))
	if err != nil {
		return 0, fmt.Errorf("%w: %v", ErrRefused, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if r.TokenFile != "" {
		token, err := r.token()
		if err != nil {
			return 0, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	return answer.StatusCode, judge(answer.StatusCode, text)
}

func judge(code int, text []byte) error {
	if code < 300 {
		return nil
	}
	var status struct{ Message string }
	if json.Unmarshal(text, &status) != nil || status.Message == "" {
		status.Message = string(text)
	}
	switch code {
	case 400, 409, 413, 422:
		return fmt.Errorf("%w: %d: %s", ErrRefused, code, status.Message)
	}
	return fmt.Errorf("%d: %s", code, status.Message)
}

// Keep registers and renews until ctx is done, and then leaves.  It ends before that, with
// ErrRefused, when what is asked is wrong.
func (r *Registration) Keep(ctx context.Context) error {
	if r.Lease < 2*time.Second || r.Lease > time.Hour {
		return fmt.Errorf("%w: a lease of %v: it is 2s to 1h", ErrRefused, r.Lease)
	}
	known, trouble := false, false
	unsure := false // no answer, or 5xx: it may have been taken all the same
	pause, most := time.Duration(0), r.Lease/3
	if most > callTime {
		most = callTime
	}
	for {
		code, err := r.call(http.MethodPut, most)
		switch {
		case errors.Is(err, ErrRefused):
			return err
		case err == nil:
			if !known {
				log.Print("registered")
			} else if trouble {
				log.Print("registered again")
			}
			known, trouble, pause = true, false, r.Lease/3
		default:
			if !trouble {
				log.Printf("%v; trying again until it works", err)
				pause = 250 * time.Millisecond
			}
			if pause *= 2; pause > r.Lease/3 {
				pause = r.Lease / 3
			}
			trouble, unsure = true, unsure || code == 0 || code >= 500
		}
		select {
		case <-ctx.Done():
			if known || unsure {
				r.leave(known)
			}
			return nil
		case <-time.After(pause*4/5 + time.Duration(rand.Int63n(int64(pause/5)+1))): // not all at once
		}
	}
}

// 404: it has gone; 409: another one is registered in our place by now, and stays.
func (r *Registration) leave(known bool) {
	code, err := r.call(http.MethodDelete, leaveTime)
	if known && err != nil && code != 404 && code != 409 {
		log.Printf("the gateway could not be told: the lease runs out in %v", r.Lease)
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("register: ")
	if len(os.Args) != 5 && len(os.Args) != 6 || os.Args[2] == "" || os.Args[3] == "" {
		log.Print("usage: register GATEWAY EXTENSION ID URL [TOKEN_FILE]; LEASE is in seconds, VERSION the extension's")
		os.Exit(2)
	}
	r := Registration{Gateway: os.Args[1], Extension: os.Args[2], ID: os.Args[3], URL: os.Args[4],
		Lease: 15 * time.Second, Version: os.Getenv("VERSION")}
	if lease, given := os.LookupEnv("LEASE"); given {
		seconds, err := strconv.Atoi(lease)
		if err != nil || seconds < 2 || seconds > 3600 {
			log.Printf("LEASE=%s: it takes 2 to 3600, in seconds", lease)
			os.Exit(2)
		}
		r.Lease = time.Duration(seconds) * time.Second
	}
	if len(os.Args) == 6 {
		r.TokenFile = os.Args[5]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := r.Keep(ctx); err != nil {
		log.Fatal(err)
	}
}
