package appliance

import (
	"crypto/rand"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// descriptors counts those that this process has open; none when it has none left to count them.
func descriptors() int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(all)
}

// scarce leaves this process so many descriptors, until the function that it returns is called.
func scarce(t *testing.T, left int) (plenty func()) {
	t.Helper()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: uint64(descriptors() + left), Max: was.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	plenty = func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(plenty)
	return plenty
}

// A box without descriptors turns away with 503 whom it cannot serve, disturbs nobody whom it serves, and serves again
// when there are some.
func TestABoxWithoutDescriptorsTurnsCallersAwayAndServesAgain(t *testing.T) {
	b := start(t, shop)
	anna, bruno, carla := b.phone("201"), b.phone("202"), b.phone("203")
	talk := anna.call("202")
	if !bruno.hears(anna, 0x31) || !anna.hears(bruno, 0x32) {
		t.Fatal("the call has no audio before")
	}
	before := descriptors()
	plenty := scarce(t, 24)
	var served []*testCall
	refused := 0
	for len(served) < 100 && refused < 5 {
		d := &testCall{id: "scarce" + rand.Text(), to: "<sip:400@box>", target: fmt.Sprintf("sip:400@%s", carla.box)}
		res := carla.ask("INVITE", d, carla.sdp(), "")
		if len(headers(res, "To")) == 0 {
			t.Fatalf("an answer without To: %q", res)
		}
		carla.ack(d, headers(res, "To")[0], d.branch)
		switch status(res) {
		case "200":
			d.to, d.target = headers(res, "To")[0], find(headers(res, "Contact")[0], `<([^>]+)>`)
			served = append(served, d)
		case "503":
			refused++
		default:
			t.Fatalf("caller %d is refused with %q", len(served), res)
		}
	}
	if len(served) < 5 || refused < 5 {
		t.Errorf("%d callers are served, %d refused", len(served), refused)
	}
	if !bruno.hears(anna, 0x33) || !anna.hears(bruno, 0x34) {
		t.Error("the call that was up is disturbed")
	}
	for _, d := range served {
		if s := carla.hangup(d); s != "200" {
			t.Errorf("a caller who was served cannot hang up: %s", s)
		}
	}
	b.eventually("those who hung up leave their descriptors", func() bool {
		n := descriptors()
		return n > 0 && n < before+12
	})
	again := carla.call("400") // with the descriptors that are free now
	if s := carla.hangup(again); s != "200" {
		t.Errorf("the last caller cannot hang up: %s", s)
	}
	plenty()
	if s := anna.hangup(talk); s != "200" {
		t.Errorf("the talk cannot be ended: %s", s)
	}
}
