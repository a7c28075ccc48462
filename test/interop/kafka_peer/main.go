// An in-memory Kafka broker for the tests. Arguments: port, topic (one partition), and a file to which it appends the
// value of every record, one per line.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	port, err := strconv.Atoi(os.Args[1])
	fail(err)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.SeedTopics(1, os.Args[2]),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			return net.Listen(network, fmt.Sprintf("127.0.0.1:%d", port))
		}))
	fail(err)
	defer cluster.Close()
	out, err := os.OpenFile(os.Args[3], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	fail(err)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(os.Args[2]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	fail(err)
	fmt.Println("ready")
	for {
		fetches := client.PollFetches(context.Background())
		fetches.EachRecord(func(r *kgo.Record) {
			_, err := out.Write(append(r.Value, '\n'))
			fail(err)
		})
	}
}
