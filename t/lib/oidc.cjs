// An OpenID provider for tests: oidc-provider (npm) with one page less, since there is no user to
// fill in a form.  Whoever asks is the user named in the cookie "who", or nobody.  The ID tokens of
// "brief" live for 2 s, and those of "large-N" have N bytes more than others.  The access tokens of
// the client "api" are JSON Web Tokens.
//
//     node oidc.cjs PORT SETTINGS    (JSON: {clients})
const path = require('path')
const {pathToFileURL} = require('url')
const http = require('http')
const {randomBytes} = require('crypto')
const jose = require('jose')

const [port, settings] = [process.argv[2], JSON.parse(process.argv[3])]
const issuer = `http://127.0.0.1:${port}`
const scope = 'openid profile email offline_access'

async function main() {
  const file = path.join(process.env.NODE_PATH, 'oidc-provider/lib/index.js')
  const {default: Provider} = await import(pathToFileURL(file))
  const {privateKey} = await jose.generateKeyPair('RS256', {extractable: true})
  const configuration = {
    clients: settings.clients,
    jwks: {keys: [{...(await jose.exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: `key-${Date.now()}`}]},
    cookies: {keys: ['a secret of the test']},
    conformIdTokenClaims: false,
    claims: {openid: ['sub', 'username', 'groups', 'filling'], email: ['email'], profile: ['name']},
    features: {
      devInteractions: {enabled: false},
      revocation: {enabled: true},
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx, client) => (client.clientId === 'api' ? 'urn:api' : undefined),
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({scope: '', audience: 'api', accessTokenFormat: 'jwt', jwt: {sign: {alg: 'RS256'}}}),
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => (ctx.body = `<html><body>${form}<button name="logout" value="yes">Log out</button></body></html>`),
      },
    },
    interactions: {url: (ctx, interaction) => `/interaction/${interaction.uid}`},
    extraTokenClaims: (ctx, token) => ({username: token.accountId, groups: ['testers']}),
    pkce: {required: () => true},
    rotateRefreshToken: true,
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
    ttl: {
      AccessToken: 3600, Grant: 86400, Session: 86400, Interaction: 3600, RefreshToken: 86400,
      IdToken: ctx => (ctx.oidc.account?.accountId === 'brief' ? 2 : 3600),
    },
    findAccount: async (ctx, id) => ({
      accountId: id,
      claims: async () => ({
        sub: id, username: id, groups: ['testers'], email: `${id}@example.com`, name: id,
        filling: randomBytes(Number(/^large-(\d+)$/.exec(id)?.[1] || 0) / 2).toString('hex'),
      }),
    }),
    loadExistingGrant: async ctx => {
      const {client, session, provider} = ctx.oidc
      const known = ctx.oidc.result?.consent?.grantId || session.grantIdFor(client.clientId)
      if (known) return provider.Grant.find(known)
      const grant = new provider.Grant({clientId: client.clientId, accountId: session.accountId})
      grant.addOIDCScope(scope)
      await grant.save()
      return grant
    },
  }
  const provider = new Provider(issuer, configuration)
  provider.on('server_error', (ctx, e) => console.error(e))
  const callback = provider.callback()
  const server = http.createServer(async (req, res) => {
    console.log(`${req.method} ${req.url.replace(/\?.*/, '')}`)
    if (!req.url.startsWith('/interaction/')) return callback(req, res)
    const [, who] = (req.headers.cookie || '').match(/(?:^|; )who=([^;]+)/) || []
    const result = who ? {login: {accountId: who}} : {error: 'access_denied', error_description: '<script>nobody</script>'}
    await provider.interactionFinished(req, res, result, {mergeWithLastSubmission: false})
  })
  server.listen(port, '127.0.0.1', () => console.log('ready'))
}

main().catch(e => {
  console.error(e)
  process.exit(1)
})
