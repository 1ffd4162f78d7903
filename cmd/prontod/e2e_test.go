package main_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

var bench *pbxtest.Bench // set once, before any test runs

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set(beside); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	var err error
	if bench, err = pbxtest.NewBench("../prontod", "../recordd", "../prontoctl"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := bench.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// phone is a registered peer.
func phone(t testing.TB, o *pbxtest.Office, number, hz int, incoming func(*peer.Call)) *peer.Peer {
	t.Helper()
	p, err := peer.New(peer.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: o.SIP, User: fmt.Sprint(number), Password: pbxtest.Password(number),
		Hz: hz, Law: tone.ALaw, Incoming: incoming,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if _, err := p.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	o.Phone(number)
	return p
}

// The tones of the parties; no one is a harmonic of another.
const (
	hzCaller   = 440
	hzAgent    = 620
	hzCarrier  = 980
	hzModem    = 1220
	hzStranger = 1460
)

var tones = []int{hzCaller, hzAgent, hzCarrier, hzModem, hzStranger}

// hears fails the test unless pcm is the wanted party and nobody else.
func hears(t *testing.T, who string, pcm []int16, want int) {
	t.Helper()
	if err := tone.Heard(pcm, want, tone.Others(tones, want)...); err != nil {
		t.Errorf("%s: %v", who, err)
	}
}

// realPrograms leaves a test out of a short run, which has no real telephones.
func realPrograms(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it uses real telephones")
	}
}

// talk is how long a conversation is let go on: the last of it is judged.
const talk = 2600 * time.Millisecond
