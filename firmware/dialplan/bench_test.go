package dialplan

import (
	"fmt"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// BenchmarkRoute is the dial plan's part of a set-up in an office of 500 people.
func BenchmarkRoute(b *testing.B) {
	p := site(b)
	for i := range 500 {
		n := tel.Number(fmt.Sprint(1000 + i))
		p.Extensions = append(p.Extensions, Extension{Number: n, Agent: tel.AgentID("a" + n), Devices: []tel.DeviceID{tel.DeviceID(n)}})
	}
	for _, dialed := range []tel.Number{"1499", "3331234567", "*423", "112"} {
		b.Run(string(dialed), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Route(p, Request{Device: "1498", Dialed: dialed, At: monday})
			}
		})
	}
}
