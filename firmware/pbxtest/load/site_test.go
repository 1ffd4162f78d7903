package load_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/load"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/useragent"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// site is a box with its phones, registered, and a carrier.
type site struct {
	box     *load.Box
	phones  []*useragent.Phone
	carrier *useragent.Phone
	agents  int // of the phones, the first ones
}

// opened starts a box and n registered phones. Rung gets every call that comes to a phone, on that
// phone's goroutine.
func opened(tb testing.TB, w load.Work, n int, rung func(phone int, c *useragent.Call)) *site {
	tb.Helper()
	o, err := load.NewOffice(w)
	if err != nil {
		tb.Fatal(err)
	}
	s := &site{box: started(tb, o), agents: w.Defaults().Agents}
	if s.carrier, err = useragent.NewPhone(o.Carrier, "+390655555", "", s.box.SIP, nil); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.carrier.Close)
	for i := range n {
		user := load.Extension(i)
		p, err := useragent.NewPhone(load.PhoneIP(i), user, load.Password(user), s.box.SIP, func(c *useragent.Call) { rung(i, c) })
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(p.Close)
		s.phones = append(s.phones, p)
		if err := p.Register(); err != nil {
			tb.Fatal(err)
		}
	}
	s.quiet(tb, n)
	return s
}

// started runs a box until the test ends; what it complained about is shown when the test failed.
func started(tb testing.TB, o load.Office) *load.Box {
	tb.Helper()
	box, err := load.Start(program, tb.TempDir(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := box.Stop(); err != nil && !box.Dumped() {
			tb.Errorf("prontod: %v", err)
		}
		if complaints := box.Complaints(); tb.Failed() && len(complaints) > 0 {
			tb.Logf("%d complaints of the box, the first:\n%s", len(complaints), strings.Join(complaints[:min(20, len(complaints))], "\n"))
		}
	})
	return box
}

// limit is how long the tests wait for what happens in milliseconds.
const limit = 10 * time.Second

// quiet waits until the box has no calls and nobody waits, and the first n phones' agents are ready.
func (s *site) quiet(tb testing.TB, n int) {
	tb.Helper()
	s.until(tb, func(now load.Now) string {
		switch {
		case len(now.Calls) > 0:
			return fmt.Sprintf("%d calls, such as %+v", len(now.Calls), now.Calls[0])
		case len(now.Waits) > 0:
			return fmt.Sprintf("%d wait, such as %+v", len(now.Waits), now.Waits[0])
		case len(now.Offers) > 0:
			return fmt.Sprintf("%d offers, such as %+v", len(now.Offers), now.Offers[0])
		}
		for i := range min(n, s.agents) {
			id := tel.AgentID("a" + load.Extension(i))
			if a := now.Agents[id]; a.State != tel.AgentReady && a.State != tel.AgentWrapUp {
				return fmt.Sprintf("agent %s is %s since %s", id, a.State, a.Since)
			}
			if l := now.Lamps[id]; l.State != tel.AgentReady && l.State != tel.AgentWrapUp {
				return fmt.Sprintf("the lamp of agent %s shows %s", id, l.State)
			}
		}
		return ""
	})
}

// until asks the box until wrong finds nothing wrong.
func (s *site) until(tb testing.TB, wrong func(load.Now) string) {
	tb.Helper()
	text := ""
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		now, err := s.box.Now()
		if err != nil {
			tb.Fatal(err)
		}
		if text = wrong(now); text == "" {
			return
		}
	}
	tb.Fatalf("after %v still: %s", limit, text)
}

// happens waits for one kind of event of a call and gives up on any that ends it before.
func happens(c *useragent.Call, kind useragent.EventKind) (useragent.Event, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case e := <-c.Events:
			switch {
			case e.Kind == kind:
				return e, nil
			case e.Kind >= useragent.Cancelled:
				return e, fmt.Errorf("call %s: event %d, status %d instead of event %d", c.ID(), e.Kind, e.Status, kind)
			}
		case <-timer.C:
			return useragent.Event{}, fmt.Errorf("call %s: no event %d", c.ID(), kind)
		}
	}
}

func must(tb testing.TB, errs ...error) {
	tb.Helper()
	for _, err := range errs {
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// came waits for the next call at any phone.
func came(tb testing.TB, in <-chan *useragent.Call) *useragent.Call {
	tb.Helper()
	select {
	case c := <-in:
		return c
	case <-time.After(limit):
		tb.Fatal("no phone rings")
		return nil
	}
}
