// What t/lib/Gateway/Jose.pm asks of jose: a question in JSON on standard input, the answer on standard output.
const jose = require('jose')
const {randomBytes} = require('crypto')

const secrets = {HS256: 32, HS384: 48, HS512: 64}
const pairs = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']

// {ALG: {token, secret}} or {ALG: {token, public, private, jwk}}
async function mint({claims}) {
  const all = {}
  const sign = (alg, key) =>
    new jose.SignJWT(claims).setProtectedHeader({alg, typ: 'JWT', kid: `key-${alg}`}).sign(key)
  for (const [alg, bytes] of Object.entries(secrets)) {
    const secret = randomBytes(bytes).toString('hex')
    all[alg] = {secret, token: await sign(alg, Buffer.from(secret))}
  }
  for (const alg of pairs) {
    const {publicKey, privateKey} = await jose.generateKeyPair(alg, {extractable: true, modulusLength: 2048})
    all[alg] = {
      token: await sign(alg, privateKey),
      public: await jose.exportSPKI(publicKey),
      private: await jose.exportPKCS8(privateKey),
      jwk: {...(await jose.exportJWK(publicKey)), kid: `key-${alg}`, alg, use: 'sig'},
    }
  }
  return all
}

// {ALG: why not}
async function verify({tokens}) {
  const wrong = {}
  for (const [alg, {token, key}] of Object.entries(tokens)) {
    const k = alg in secrets ? Buffer.from(key) : await jose.importSPKI(key, alg)
    await jose.jwtVerify(token, k, {algorithms: [alg]}).catch(e => (wrong[alg] = `${e}`))
  }
  return wrong
}

async function main() {
  let text = ''
  for await (const piece of process.stdin) text += piece
  const question = JSON.parse(text)
  console.log(JSON.stringify(await {mint, verify}[question.what](question)))
}

main().catch(e => {
  console.error(e)
  process.exit(1)
})
