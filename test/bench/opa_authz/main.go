// Answers Envoy's ext_authz calls (gRPC) with a decision of OPA: what OPA's own plugin for Envoy does, with OPA as a
// library, since the plugin itself cannot be installed by name. Usage: opa_authz ADDRESS POLICY.rego
package main

import (
	"context"
	"log"
	"net"
	"os"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/open-policy-agent/opa/v1/rego"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

type server struct {
	query rego.PreparedEvalQuery
}

func (s *server) Check(ctx context.Context, request *auth.CheckRequest) (*auth.CheckResponse, error) {
	http := request.GetAttributes().GetRequest().GetHttp()
	input := map[string]any{
		"principal": request.GetAttributes().GetSource().GetPrincipal(),
		"method":    http.GetMethod(),
		"path":      http.GetPath(),
		"headers":   http.GetHeaders(),
	}
	code := codes.PermissionDenied
	results, err := s.query.Eval(ctx, rego.EvalInput(input))
	if err == nil && results.Allowed() {
		code = codes.OK
	}
	return &auth.CheckResponse{Status: &status.Status{Code: int32(code)}}, nil
}

func main() {
	policy, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	query, err := rego.New(rego.Query("data.edge.allow"), rego.Module("edge.rego", string(policy))).PrepareForEval(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	out := grpc.NewServer()
	auth.RegisterAuthorizationServer(out, &server{query})
	log.Fatal(out.Serve(listener))
}
