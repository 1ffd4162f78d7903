package load_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/load"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/useragent"
)

// shift is what the phones of fifty agents see of four hundred callers.
type shift struct {
	audio netip.AddrPort

	mu    sync.Mutex
	rings map[string]time.Time // by caller, when the first phone rang
	left  map[int]time.Time    // by agent, when the last talk ended
	early []string             // after-call work that a ring cut short
	talks sync.WaitGroup
}

const afterCall = 2 * time.Second

// rung is what an agent's phone does: it answers, talks for a moment and hangs up.
func (s *shift) rung(agent int, c *useragent.Call) {
	from := userOf(c.Caller())
	s.mu.Lock()
	if _, again := s.rings[from]; !again {
		s.rings[from] = c.Began()
	}
	if ended, ok := s.left[agent]; ok && c.Began().Sub(ended) < afterCall {
		s.early = append(s.early, fmt.Sprintf("agent %d rang %v after a call", agent, c.Began().Sub(ended)))
	}
	s.mu.Unlock()
	s.talks.Go(func() {
		c.Ring()
		c.Answer(s.audio)
		if _, err := happens(c, useragent.Confirmed); err != nil {
			return // the caller's test says so
		}
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		s.mu.Lock()
		s.left[agent] = time.Now() // before the BYE leaves: what is too early by this clock is too early by any
		s.mu.Unlock()
		c.Hangup()
	})
}

// overtaken lists the callers at whose place a later one rang a phone. Later is who called only after the
// other had been answered by the queue; stalled is how long the telephones themselves were not run.
func (s *shift) overtaken(numbers []string, began, placed map[string]time.Time, stalled time.Duration) (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range numbers {
		for _, later := range numbers[i+1:] {
			if by := s.rings[n].Sub(s.rings[later]); placed[n].Before(began[later]) && by > sameMoment+stalled {
				list = append(list, fmt.Sprintf("%s by %s, by %v", n, later, by))
				break
			}
		}
	}
	return list
}

// sameMoment is how close two rings may be to count as one: calls that are given away in one decision reach
// their phones from goroutines of their own.
const sameMoment = 20 * time.Millisecond

// Asterisk's app_queue let 29 of 400 callers be overtaken with 50 agents, and broke 12 of 30 after-call times
// of 2 s. Here it is none of either, judged at the telephones.
func TestOfFourHundredCallersAndFiftyAgentsNobodyIsOvertakenAndNoWrapUpIsCutShort(t *testing.T) {
	const calls = 400
	s := &shift{audio: netip.MustParseAddrPort("127.0.0.63:40000"), rings: map[string]time.Time{}, left: map[int]time.Time{}}
	office := opened(t, load.Work{WrapUp: "2s", Agents: load.Phones}, load.Phones, s.rung)
	stop := make(chan struct{})
	stalled := pbxtest.Stalls(stop)
	var numbers []string
	began, placed := map[string]time.Time{}, map[string]time.Time{}
	var outs []*useragent.Call
	for i := range calls {
		number := fmt.Sprintf("+39333%06d", i)
		p, err := useragent.NewPhone("127.0.0.62", number, "", office.box.SIP, nil)
		must(t, err)
		t.Cleanup(p.Close)
		out := p.Invite([]string{load.SalesNumber, load.HelpNumber}[rand.IntN(2)], s.audio)
		e, err := happens(out, useragent.Answered)
		must(t, err)
		numbers, outs = append(numbers, number), append(outs, out)
		began[number], placed[number] = out.Began(), e.At
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // as callers come: not in step with the agents
	}
	for _, out := range outs {
		_, err := happens(out, useragent.Ended)
		must(t, err)
	}
	s.talks.Wait()
	close(stop)
	office.quiet(t, load.Phones)
	checkOrder(t, office.box, calls)
	for _, x := range s.overtaken(numbers, began, placed, <-stalled) {
		t.Errorf("overtaken: %s", x)
	}
	for _, x := range s.early {
		t.Errorf("after-call work of %v was cut short: %s", afterCall, x)
	}
	h, err := office.box.History()
	must(t, err)
	if len(h.Waits) != calls || slices.ContainsFunc(office.phones, func(p *useragent.Phone) bool { return p.Open() > 0 }) {
		t.Errorf("%d queue records of %d callers", len(h.Waits), calls)
	}
}
