package main_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// Phones say hold in many ways, and resume also by a re-INVITE without an offer (RFC 3264 section 8.4,
// RFC 3261 section 14.1).
func TestEveryFormOfHoldIsUnderstoodAndEndedByAReinviteWithoutAnOffer(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 2})
	got := make(chan *peer.Call, 1)
	phone(t, o, 201, hzAgent, func(c *peer.Call) { c.Answer(); got <- c })
	c, err := phone(t, o, 202, hzCaller, nil).Dial(peer.Outgoing{To: "201"})
	if err != nil {
		t.Fatal(err)
	}
	agent := <-got
	<-c.Answered()
	replace := func(old, now string) func(string) string {
		return func(sdp string) string {
			if !strings.Contains(sdp, old) {
				t.Errorf("no %q in %q", old, sdp)
			}
			return strings.Replace(sdp, old, now, 1)
		}
	}
	for _, form := range []struct {
		name   string
		edit   func(string) string
		answer string
		agent  bool // the agent, who sends it, hears the caller
		caller string
	}{
		{"sendonly", replace("a=sendrecv", "a=sendonly"), "recvonly", false, "music"},
		{"inactive", replace("a=sendrecv", "a=inactive"), "inactive", false, "music"},
		{"recvonly", replace("a=sendrecv", "a=recvonly"), "sendonly", true, "nothing"},
		{"no address", replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"), "recvonly", false, "music"},
		{"sendonly for the session", func(s string) string {
			return replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n")(replace("a=sendrecv\r\n", "")(s))
		}, "recvonly", false, "music"},
		{"video beside the audio", func(s string) string { return s + "m=video 5006 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n" }, "sendrecv", true, "agent"},
		{"video taken away again", func(s string) string { return s + "m=video 0 RTP/AVP 96\r\n" }, "sendrecv", true, "agent"},
		{"another codec", func(s string) string {
			return replace("a=rtpmap:8 PCMA", "a=rtpmap:0 PCMU")(replace("RTP/AVP 8", "RTP/AVP 0")(s))
		}, "sendrecv", true, "agent"},
		{"nothing", nil, "sendrecv", true, "agent"},
	} {
		if err := agent.Reoffer(t.Context(), form.edit); err != nil {
			t.Fatalf("%s: %v", form.name, err)
		}
		if d := agent.Direction(); d != form.answer {
			t.Errorf("%s: answered with %s, want %s", form.name, d, form.answer)
		}
		judge(t, form.name, c, agent, form.agent, form.caller)
		if err := agent.Reoffer(t.Context(), nil); err != nil {
			t.Fatalf("%s: resume: %v", form.name, err)
		}
		judge(t, form.name+" ended", c, agent, true, "agent")
	}
	c.Hangup()
	<-agent.Ended()
}

// judge waits until both hear what they must.
func judge(t *testing.T, when string, caller, agent *peer.Call, agentHears bool, callerHears string) {
	t.Helper()
	settles(t, when, func() error {
		if agentHears {
			hearing(agent)
		}
		if callerHears != "nothing" {
			hearing(caller)
		}
		if at := tone.Level(agent.Audio().Heard(), hzCaller); agentHears != (at > tone.Audible) {
			return fmt.Errorf("the agent hears the caller at %.1f dB, want %v", at, agentHears)
		}
		packets, at := caller.Audio().Packets(), tone.Level(caller.Audio().Heard(), hzAgent)
		got := "music"
		switch {
		case packets < 5:
			got = "nothing"
		case at > tone.Audible:
			got = "agent"
		}
		if got != callerHears {
			return fmt.Errorf("the caller hears %s (%d packets, the agent at %.1f dB), want %s", got, packets, at, callerHears)
		}
		return nil
	}, caller, agent)
}

// Either side may hold, both may at once and resume in any order, by re-INVITE and by UPDATE (RFC 3311);
// who is left alone hears music until the other is back.
func TestBothSidesHoldAndResumeInAnyOrder(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	a, b := connected(t, anna, bruno, "202")
	sends := func(direction string) func(string) string {
		return func(sdp string) string { return strings.Replace(sdp, "a=sendrecv", "a="+direction, 1) }
	}
	noAddress := func(sdp string) string {
		return strings.Replace(sdp, "c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0", 1)
	}
	again := sends("sendrecv")
	for _, step := range []struct {
		name   string
		by     *peer.Call
		update bool
		edit   func(string) string
		a, b   int // what Anna and Bruno hear then
	}{
		{"Bruno holds by UPDATE", b, true, sends("sendonly"), musicHeard, nothing},
		{"and resumes by UPDATE", b, true, again, hzAgent, hzCaller},
		{"Anna, who called, holds by UPDATE", a, true, sends("inactive"), nothing, musicHeard},
		{"and resumes by re-INVITE", a, false, again, hzAgent, hzCaller},
		{"Anna holds by re-INVITE", a, false, sends("sendonly"), nothing, musicHeard},
		{"Bruno holds too", b, false, sends("sendonly"), nothing, nothing},
		{"Anna is back before Bruno", a, false, again, musicHeard, nothing},
		{"then Bruno", b, false, again, hzAgent, hzCaller},
		{"Bruno holds without an address", b, false, noAddress, musicHeard, nothing},
		{"Anna holds too, without audio at all", a, true, sends("inactive"), nothing, nothing},
		{"Bruno is back, by an INVITE that offers nothing", b, false, nil, nothing, musicHeard},
		{"then Anna", a, false, again, hzAgent, hzCaller},
		{"Anna only listens", a, false, sends("recvonly"), hzAgent, nothing},
		{"Anna speaks again", a, false, again, hzAgent, hzCaller},
	} {
		change := step.by.Reoffer
		if step.update {
			change = step.by.Update
		}
		if err := change(t.Context(), step.edit); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		allHear(t, step.name, ear{"Anna", a, step.a}, ear{"Bruno", b, step.b})
	}
	a.Hangup()
	ended(t, b)
}

// The program dies while both hold; the phones know nothing of it and come back one after the other.
func TestBothHoldThroughAKillAndComeBack(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	a, b := connected(t, anna, bruno, "202")
	hold(t, a, true)
	hold(t, b, true)
	o.Kill()
	hold(t, a, false)
	allHear(t, "Anna is back", ear{"Anna", a, musicHeard}, ear{"Bruno", b, nothing})
	hold(t, b, false)
	allHear(t, "both are back", ear{"Anna", a, hzAgent}, ear{"Bruno", b, hzCaller})
	b.Hangup()
	ended(t, a)
}

// Both press hold, or both resume, in the same instant, over and over: what counts at the end is what
// each said last.
func TestBothSidesChangeAtTheSameInstant(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	a, b := connected(t, anna, bruno, "202")
	for i := range 40 {
		var both sync.WaitGroup
		both.Go(func() {
			if err := a.Hold(t.Context(), i%2 == 0); err != nil {
				t.Errorf("Anna: %v", err)
			}
		})
		both.Go(func() {
			if err := b.Hold(t.Context(), i%3 == 0); err != nil {
				t.Errorf("Bruno: %v", err)
			}
		})
		both.Wait()
	}
	allHear(t, "Bruno holds", ear{"Anna", a, musicHeard}, ear{"Bruno", b, nothing})
	hold(t, b, false)
	allHear(t, "at the end", ear{"Anna", a, hzAgent}, ear{"Bruno", b, hzCaller})
	a.Hangup()
	ended(t, b)
}

// RFC 3261 section 14.1: a change that is refused leaves the session as it was.
func TestAChangeThatCannotBeIsRefusedAndTheCallGoesOn(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	a, b := connected(t, anna, bruno, "202")
	for name, change := range map[string]struct {
		edit   func(string) string
		status string
	}{
		"a codec that nobody has": {func(s string) string {
			return strings.NewReplacer("RTP/AVP 8", "RTP/AVP 4", "a=rtpmap:8 PCMA", "a=rtpmap:4 G723").Replace(s)
		}, "488"},
		"video alone": {func(s string) string { return strings.Replace(s, "m=audio", "m=video", 1) }, "488"},
		"a fax machine that wants T.38": {func(s string) string {
			return regexp.MustCompile(`m=audio (\d+) \S+ .*`).ReplaceAllString(s, "m=image $1 udptl t38\r\na=T38FaxVersion:0")
		}, "488"},
		"what is no SDP": {func(string) string { return "hold, please" }, "400"},
	} {
		for how, by := range map[string]func(context.Context, func(string) string) error{"re-INVITE": a.Reoffer, "UPDATE": a.Update} {
			if err := by(t.Context(), change.edit); !errors.Is(err, peer.ErrStatus) || !strings.Contains(err.Error(), change.status) {
				t.Errorf("%s by %s: %v, want %s", name, how, err, change.status)
			}
		}
	}
	allHear(t, "afterwards", ear{"Anna", a, hzAgent}, ear{"Bruno", b, hzCaller})
	a.Hangup()
	ended(t, b)
}
