// oidc-provider (npm) as a process: client credentials, one resource per signing algorithm.
// Arguments: a JSON file with issuer, port, jwks and, for TLS, cert and key (PEM).
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';

const given = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const scope = 'orders:read orders:write';

const provider = new Provider(given.issuer, {
  jwks: given.jwks,
  clients: [{
    client_id: 'machine',
    client_secret: 'secret-of-the-test',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope,
  }],
  scopes: scope.split(' '),
  extraTokenClaims: () => ({ realm: { roles: ['admin'] } }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope,
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
        jwt: { sign: { alg: resource.split(':').pop() } },
      }),
    },
  },
});

const server = given.cert
  ? https.createServer({ cert: given.cert, key: given.key }, provider.callback())
  : http.createServer(provider.callback());
server.listen(given.port, '127.0.0.1');
