// A net/http service that listens on the port given as argument and answers with what it read. With `post URL TEXT` it is
// a client that posts the text as JSON and prints the response. With `tls PORT CERTIFICATE KEY BUNDLE ID` it serves only
// a caller that proves to be this SPIFFE ID, and answers with what it knows of the connection.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
)

type document struct {
	Role   string   `json:"role"`
	Roles  []string `json:"roles"`
	Region string   `json:"region"`
	ID     float64  `json:"id"`
	Kind   string   `json:"kind"`
}

func echo(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	var body document
	if json.NewDecoder(bytes.NewReader(raw)).Decode(&body) != nil {
		body = document{}
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	_ = r.ParseMultipartForm(1 << 20)
	form := map[string]string{}
	for name, values := range r.PostForm {
		form[name] = values[0]
	}
	headers := map[string][]string{}
	for _, all := range []http.Header{r.Header, r.Trailer} {
		for name, values := range all {
			headers[name] = append(headers[name], values...)
		}
	}
	w.Header().Set("content-type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"service": "go", "method": r.Method, "path": r.URL.Path, "query": r.URL.Query(), "headers": headers,
		"body": body, "form": form, "admin": slices.Contains(body.Roles, "admin")})
}

func post(url, text string) error {
	answer, err := http.Post(url, "application/json", strings.NewReader(text))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}

func serveTLS(port, certificate, key, bundle, id string) error {
	authorities, err := os.ReadFile(bundle)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authorities)
	peer := func(state tls.ConnectionState) error {
		if uris := state.PeerCertificates[0].URIs; len(uris) != 1 || uris[0].String() != id {
			return errors.New("another caller")
		}
		return nil
	}
	answer := func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"service": "go", "protocol": r.Proto, "caller": r.TLS.PeerCertificates[0].URIs[0].String(),
			"name": r.TLS.ServerName, "resumed": r.TLS.DidResume})
	}
	server := http.Server{Addr: "127.0.0.1:" + port, Handler: http.HandlerFunc(answer),
		TLSConfig: &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, VerifyConnection: peer}}
	return server.ListenAndServeTLS(certificate, key)
}

func main() {
	if os.Args[1] == "tls" {
		fmt.Fprintln(os.Stderr, serveTLS(os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6]))
		os.Exit(1)
	}
	if os.Args[1] == "post" {
		if post(os.Args[2], os.Args[3]) != nil {
			os.Exit(1)
		}
		return
	}
	if err := http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(echo)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
