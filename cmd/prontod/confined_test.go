package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/account"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// cells makes a directory of programs that start the real ones as the first program of a box does.
func cells(t *testing.T) (dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("only root can give users to programs")
		}
		t.Skip("left out: only root can give users to programs")
	}
	dir, err := os.MkdirTemp("", "cells") // not t.TempDir, whose parents only root may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	inner := filepath.Join(dir, "real")
	for _, at := range []string{dir, inner} {
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "prontod"), "./testdata/cell")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // a thread of C would keep its privileges
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for from, to := range map[string]string{
		filepath.Join(dir, "prontod"): filepath.Join(dir, "recordd"), filepath.Join(bench.Programs(), "prontoctl"): filepath.Join(dir, "prontoctl"),
		filepath.Join(bench.Programs(), "prontod"): filepath.Join(inner, "prontod"), filepath.Join(bench.Programs(), "recordd"): filepath.Join(inner, "recordd"),
	} {
		if err := os.Link(from, to); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// walls fails the test unless the kernel says that a program has no privilege and is filtered.
func walls(t *testing.T, o *pbxtest.Office, name string, uid int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.PID(name)))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		said[key] = strings.Join(strings.Fields(value), " ")
	}
	user := fmt.Sprint(uid)
	const none = "0000000000000000"
	for key, want := range map[string]string{
		"Uid": strings.Join([]string{user, user, user, user}, " "), "CapEff": none, "CapPrm": none, "CapAmb": none, "NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": "2",
	} {
		if said[key] != want {
			t.Errorf("%s: %s is %q, want %q", name, key, said[key], want)
		}
	}
}

func TestAnOfficeWorksInTheCellsOfABox(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Programs: cells(t), Agents: 2, LoggedIn: 1, Carrier: 5070, Modem: true, TLS: true,
		Extra: `voicemail: {boxes: [{number: "202", pin: "58313"}]}` + "\n",
	})
	walls(t, o, "prontod", account.Exchange)
	walls(t, o, "recordd", account.Records)
	o.Until("the exchange to say that its walls stand", func(n pbxtest.Now) bool { h, ok := n.Health["confined"]; return ok && h.OK })
	anna, bruno, carrier := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzStranger), carrierOf(t, o, hzCarrier)
	o.Lamp(201, tel.AgentReady)

	customer := carrier.customer(mobileNumber)
	at := anna.picksUp()
	talking(t, "carrier to agent", customer, hzCarrier, at, hzAgent)
	o.Kill() // the next one takes the sockets and goes on, in a cell of its own
	talking(t, "after a crash", customer, hzCarrier, at, hzAgent)
	walls(t, o, "prontod", account.Exchange)
	over(t, customer, at)
	o.Lamp(201, tel.AgentReady)

	m := modem(t, o)
	if err := m.Ring(mobileNumber); err != nil {
		t.Fatal(err)
	}
	at = anna.picksUp()
	o.Lamp(201, tel.AgentTalking)
	hearsTone(t, "the agent", at, hzModem)
	if err := tone.Heard(m.last(), hzAgent); err != nil {
		t.Errorf("the customer on the mobile line: %v", err)
	}
	at.Hangup()
	o.Lamp(201, tel.AgentReady)

	box := bruno.talksTo("*97") // reads and writes sounds
	listen(t, "the mailbox", box)
	box.Hangup()
	if n := len(o.CallRecords(2)); n < 2 {
		t.Errorf("%d records arrived at recordd", n)
	}
	if log := o.Log(); strings.Contains(log, "not permitted") || strings.Contains(log, "permission denied") {
		t.Error("something was refused that an office needs")
		for line := range strings.Lines(log) {
			if strings.Contains(line, "not permitted") || strings.Contains(line, "permission denied") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

// A neighbour that dies and dies again is restarted, and nobody who talks hears of it. The updater, for which
// the same must hold, is not there yet: recordd stands for it.
func TestAHundredDeathsOfANeighbourBreakNoAudio(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LongestPause: 20 * time.Millisecond})
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	c := anna.dial("202")
	at := bruno.picksUp()
	answered(t, "the colleague", c)
	talking(t, "before", c, hzAgent, at, hzCaller)
	prontod := o.PID("prontod")
	at.Audio().Forget()
	said := c.Audio().Said()
	for range 100 {
		o.KillNeighbour("recordd")
	}
	c.Audio().Mute(true) // what it has said until now must arrive, whole
	for end, all := time.Now().Add(10*time.Second), c.Audio().Said()-said; at.Audio().Packets() < all; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("of %d packets %d arrived", all, at.Audio().Packets())
		}
	}
	c.Audio().Mute(false)
	talking(t, "after", c, hzAgent, at, hzCaller)
	if o.PID("prontod") != prontod {
		t.Error("the exchange was started anew")
	}
	over(t, c, at)
	if n := len(o.CallRecords(1)); n < 1 {
		t.Error("the record of the call is lost")
	}
}
