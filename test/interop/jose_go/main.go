// Mints JWTs with go-jose for test_minters.py. Arguments: issuer and audience. Prints a JWK Set, valid tokens and invalid
// ones. Here one RSA key serves six algorithms, and no key names its algorithm.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func at(offset time.Duration) *jwt.NumericDate {
	return jwt.NewNumericDate(time.Now().Add(offset))
}

// Valid claims with some changes.
func claims(changes ...func(*jwt.Claims)) jwt.Claims {
	out := jwt.Claims{Issuer: os.Args[1], Audience: jwt.Audience{os.Args[2]}, Subject: "jane", ID: "1", IssuedAt: at(0), Expiry: at(5 * time.Minute)}
	for _, change := range changes {
		change(&out)
	}
	return out
}

func sign(algorithm jose.SignatureAlgorithm, key any, options *jose.SignerOptions, claims ...any) string {
	builder := jwt.Signed(must(jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)))
	for _, one := range claims {
		builder = builder.Claims(one)
	}
	return must(builder.Serialize())
}

func main() {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	private := map[string]crypto.Signer{
		"rsa":   must(rsa.GenerateKey(rand.Reader, 2048)),
		"p-256": must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		"p-384": must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"p-521": must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		"ed":    ed,
	}
	var set jose.JSONWebKeySet
	keys := map[string]jose.JSONWebKey{} // with their names
	for id, key := range private {
		keys[id] = jose.JSONWebKey{Key: key, KeyID: id}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: id, Use: "sig"})
	}

	plain := (&jose.SignerOptions{}).WithType("JWT")
	nested := map[string]any{"realm": map[string]any{"roles": []any{"a", map[string]any{"<&>": "ü\u2028"}}, "quota": 1.5, "none": nil}}
	valid := map[string]string{
		"aud is a list": sign(jose.ES256, keys["p-256"], plain, claims(func(c *jwt.Claims) { c.Audience = jwt.Audience{"other", os.Args[2]} })),
		"nested claims": sign(jose.RS256, keys["rsa"], plain, claims(), nested),
		"no kid":        sign(jose.ES384, private["p-384"], plain, claims()),
		"at+jwt":        sign(jose.EdDSA, keys["ed"], (&jose.SignerOptions{}).WithType("at+jwt"), claims()),
	}
	for algorithm, id := range map[jose.SignatureAlgorithm]string{
		jose.RS256: "rsa", jose.RS384: "rsa", jose.RS512: "rsa", jose.PS256: "rsa", jose.PS384: "rsa", jose.PS512: "rsa",
		jose.ES256: "p-256", jose.ES384: "p-384", jose.ES512: "p-521", jose.EdDSA: "ed",
	} {
		valid[string(algorithm)] = sign(algorithm, keys[id], plain, claims())
	}

	public := private["rsa"].Public()
	asPem := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(public))})
	asJwk := must(json.Marshal(jose.JSONWebKey{Key: public, KeyID: "rsa", Use: "sig"}))
	stranger := jose.JSONWebKey{Key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), KeyID: "p-256"}
	recipient := jose.Recipient{Algorithm: jose.RSA_OAEP_256, Key: public, KeyID: "rsa"}
	encrypter := must(jose.NewEncrypter(jose.A256GCM, recipient, (&jose.EncrypterOptions{}).WithType("JWT")))
	invalid := map[string]string{
		"expired":        sign(jose.ES256, keys["p-256"], plain, claims(func(c *jwt.Claims) { c.Expiry = at(-time.Hour) })),
		"not valid yet":  sign(jose.ES256, keys["p-256"], plain, claims(func(c *jwt.Claims) { c.NotBefore = at(time.Hour) })),
		"wrong audience": sign(jose.ES256, keys["p-256"], plain, claims(func(c *jwt.Claims) { c.Audience = jwt.Audience{"other"} })),
		"wrong issuer":   sign(jose.ES256, keys["p-256"], plain, claims(func(c *jwt.Claims) { c.Issuer += "/" })),
		"another key":    sign(jose.ES256, stranger, plain, claims()),
		"embedded key":   sign(jose.ES256, stranger, &jose.SignerOptions{EmbedJWK: true}, claims()),
		"HS256 by PEM":   sign(jose.HS256, jose.JSONWebKey{Key: asPem, KeyID: "rsa"}, plain, claims()),
		"HS256 by JWK":   sign(jose.HS256, jose.JSONWebKey{Key: asJwk, KeyID: "rsa"}, plain, claims()),
		"encrypted":      must(jwt.Encrypted(encrypter).Claims(claims()).Serialize()),
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"jwks": set, "valid": valid, "invalid": invalid}); err != nil {
		panic(err)
	}
}
