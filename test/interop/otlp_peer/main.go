// A receiver of OTLP logs at /v1/logs for the tests, with the OpenTelemetry Collector's own decoding (pdata). Arguments:
// port, and a file to which it appends the body of every log record, one per line.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	out, err := os.OpenFile(os.Args[2], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	fail(err)
	http.HandleFunc("POST /v1/logs", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := plogotlp.NewExportRequest()
		if err == nil && r.Header.Get("content-type") == "application/json" {
			err = request.UnmarshalJSON(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, resource := range request.Logs().ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					_, err := out.WriteString(record.Body().AsString() + "\n")
					fail(err)
				}
			}
		}
		answer, err := plogotlp.NewExportResponse().MarshalJSON()
		fail(err)
		w.Header().Set("content-type", "application/json")
		_, _ = w.Write(answer)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	fail(err)
	fmt.Println("ready")
	fail(http.Serve(listener, nil))
}
