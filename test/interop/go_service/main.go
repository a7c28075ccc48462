// A net/http service that listens on the port given as argument and answers with what it read. With `post URL TEXT` it is
// a client that posts the text as JSON and prints the response.
package main

import (
	"bytes"
	"encoding/json"
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

func main() {
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
