// The OpenTelemetry Collector's OTLP receiver for the tests: listens on the port of its first argument and appends the
// body of every log record to the file of its second, a line each. With a third argument, a count: after so many batches
// it answers 503 to as many.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
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
	sink, err := consumer.NewLogs(func(_ context.Context, logs plog.Logs) error {
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					if _, err := out.WriteString(record.Body().AsString() + "\n"); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	fail(err)
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	config.GRPC = configoptional.None[confignetGRPC]()
	config.HTTP.GetOrInsertDefault().ServerConfig.NetAddr = confignet.AddrConfig{Endpoint: "127.0.0.1:" + os.Args[1], Transport: confignet.TransportTypeTCP}
	receiver, err := factory.CreateLogs(context.Background(), receivertest.NewNopSettings(factory.Type()), config, sink)
	fail(err)
	fail(receiver.Start(context.Background(), componenttest.NewNopHost()))
	fmt.Println("ready")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	fail(receiver.Shutdown(context.Background()))
}
