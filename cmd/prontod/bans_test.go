package main_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
)

// attacker is a host of its own, outside of the LAN where the office says so.
const attacker = "127.0.0.66"

// guesser is a phone at an address that knows no password.
func guesser(t *testing.T, o *pbxtest.Office, from, user string) *peer.Peer {
	t.Helper()
	p, err := peer.New(peer.Config{Listen: netip.MustParseAddrPort(from + ":0"), Box: o.SIP, User: user, Password: "guess-guess-guess"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// ctl runs prontoctl beside the office.
func ctl(t *testing.T, o *pbxtest.Office, args ...string) string {
	t.Helper()
	out, err := console(o, args...)
	if err != nil {
		t.Errorf("prontoctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// console runs prontoctl, which may refuse.
func console(o *pbxtest.Office, args ...string) (string, error) {
	args = append(args[:1:1], append([]string{"-var", o.Dir}, args[1:]...)...)
	out, err := exec.Command(filepath.Join(bench.Programs(), "prontoctl"), args...).CombinedOutput()
	return string(out), err
}

// answers reports whether the box says anything at all, in time, to a phone of this address.
func answers(t *testing.T, o *pbxtest.Office, from string, within time.Duration) bool {
	t.Helper()
	text := fmt.Sprintf("OPTIONS sip:box SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:x@%s>;tag=1\r\nTo: <sip:x@box>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		from, rand.Text(), from, rand.Text())
	return ask(t, from, o.SIP, text, within) != ""
}

func TestABanOutlivesTheProcessAndLeavesTheOwnerAlone(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LAN: "127.0.0.1/32"})
	owner := phone(t, o, 201, hzAgent, nil)
	thief := guesser(t, o, attacker, "201")
	for i := range 10 {
		if !answers(t, o, attacker, patience) {
			t.Fatalf("banned after %d wrong passwords", i)
		}
		if res, err := thief.Register(t.Context(), time.Minute); !errors.Is(err, peer.ErrStatus) || res.StatusCode != 401 {
			t.Fatalf("guess %d: %v", i+1, err)
		}
	}
	if answers(t, o, attacker, unheard) || !answers(t, o, "127.0.0.67", patience) {
		t.Fatal("the tenth wrong password bans the address, and no other")
	}
	o.Says("address banned")
	o.Kill()
	o.Until("the box to be back", func(n pbxtest.Now) bool { return n.Devices["201"].Reachable })
	if answers(t, o, attacker, unheard) {
		t.Error("the ban ended with the process")
	}
	if _, err := owner.Register(t.Context(), time.Hour); err != nil {
		t.Errorf("the owner of the account: %v", err)
	}
	if text := ctl(t, o, "bans"); !strings.Contains(text, attacker) || !strings.Contains(text, "wrong passwords") {
		t.Errorf("prontoctl bans: %s", text)
	}
	if text := ctl(t, o, "unban", attacker); !strings.Contains(text, "may try again") {
		t.Errorf("prontoctl unban: %s", text)
	}
	if !answers(t, o, attacker, patience) || !strings.Contains(ctl(t, o, "bans"), "nobody is banned") {
		t.Error("still banned after its pardon")
	}
}
