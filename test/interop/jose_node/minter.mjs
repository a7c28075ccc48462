// Mints JWTs with jose for test_minters.py. Arguments: issuer and audience. Prints a JWK Set, valid tokens and invalid ones.
// Here every algorithm has a key of its own, which names it.
import { webcrypto } from 'node:crypto'
import * as jose from '../../../build/interop/jose/dist/webapi/index.js'

globalThis.crypto ??= webcrypto // not global before Node 20
const [issuer, audience] = process.argv.slice(2)
const now = Math.floor(Date.now() / 1000)

// A builder with valid claims and some changes.
function claims (Builder, changes) {
  return new Builder({ iss: issuer, aud: audience, sub: 'jane', jti: '1', ...changes }).setIssuedAt().setExpirationTime(changes?.exp ?? '5m')
}

function sign (alg, key, changes, header) {
  return claims(jose.SignJWT, changes).setProtectedHeader({ alg, kid: alg, ...header }).sign(key)
}

const pairs = {}
const jwks = { keys: [] }
const valid = {}
for (const alg of ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']) {
  pairs[alg] = await jose.generateKeyPair(alg, { extractable: true })
  jwks.keys.push({ ...await jose.exportJWK(pairs[alg].publicKey), kid: alg, alg, use: 'sig' })
  valid[alg] = await sign(alg, pairs[alg].privateKey)
}
const es256 = pairs.ES256.privateKey
const nested = { realm: { roles: ['a', { '<&>': 'ü\u2028' }], quota: 1.5, none: null } }
valid['aud is a list'] = await sign('ES256', es256, { aud: ['other', audience] })
valid['nested claims'] = await sign('RS256', pairs.RS256.privateKey, nested)
valid['no kid'] = await sign('ES384', pairs.ES384.privateKey, {}, { kid: undefined })
valid['at+jwt'] = await sign('EdDSA', pairs.EdDSA.privateKey, {}, { typ: 'at+jwt' })

const rsa = pairs.RS256.publicKey
const asPem = new TextEncoder().encode(await jose.exportSPKI(rsa))
const asJwk = new TextEncoder().encode(JSON.stringify(jwks.keys[0]))
const stranger = await jose.generateKeyPair('ES256', { extractable: true })
const recipient = await jose.importJWK(await jose.exportJWK(rsa), 'RSA-OAEP-256')
const invalid = {
  expired: await sign('ES256', es256, { exp: now - 3600 }),
  'not valid yet': await sign('ES256', es256, { nbf: now + 3600 }),
  'wrong audience': await sign('ES256', es256, { aud: 'other' }),
  'wrong issuer': await sign('ES256', es256, { iss: issuer + '/' }),
  'another key': await sign('ES256', stranger.privateKey),
  'embedded key': await sign('ES256', stranger.privateKey, {}, { jwk: await jose.exportJWK(stranger.publicKey) }),
  'HS256 by PEM': await sign('HS256', asPem, {}, { kid: 'RS256' }),
  'HS256 by JWK': await sign('HS256', asJwk, {}, { kid: 'RS256' }),
  encrypted: await claims(jose.EncryptJWT).setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: 'RS256', typ: 'JWT' }).encrypt(recipient),
  unsecured: claims(jose.UnsecuredJWT).encode()
}
process.stdout.write(JSON.stringify({ jwks, valid, invalid }))
