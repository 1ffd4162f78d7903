package main_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ownPrompts are two announcements of the owner, each a tone of its own.
const ownPrompts = "prompts: {list: [{id: name, name: Name, number: \"1\"}, {id: web, name: Web, number: \"2\"}]}\n"

const (
	hzName = 1700 // says which queue it is
	hzWeb  = 1940 // a message to waiting callers
)

// recordPrompts puts the announcements where the box keeps them.
func recordPrompts(t *testing.T, o *pbxtest.Office) {
	t.Helper()
	for name, hz := range map[string]int{"name": hzName, "web": hzWeb} {
		path := filepath.Join(o.Dir, "voicemail", "prompt", name+".wav")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, tone.WAV(tone.Sine(hz, 3*tone.Rate)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// toneOverMusic waits until a party hears a tone, whatever else is played.
func toneOverMusic(t *testing.T, who string, c *peer.Call, hz int) {
	t.Helper()
	within(t, who+" to be answered", c.Answered())
	var level float64
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		c.Audio().Forget()
		time.Sleep(400 * time.Millisecond)
		pcm := c.Audio().Heard()
		if level = tone.Level(pcm, hz); len(pcm) > tone.Rate/4 && level > tone.Power(pcm)-3 {
			return
		}
	}
	t.Fatalf("%s does not hear %d Hz (%.1f dB)", who, hz, level)
}

// says waits until a party hears a sentence of the box: the recording is found in what arrives, by
// correlation, also over soft music.
func says(t *testing.T, who string, c *peer.Call, names ...string) {
	t.Helper()
	within(t, who+" to be answered", c.Answered())
	best, words, seen := map[string]float64{}, map[string][]int16{}, 0
	for _, name := range names {
		words[name] = wordsOf(t, name)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		pcm, all := c.Audio().Heard(), true
		for _, name := range names {
			if best[name] < 0.7 { // what was looked through before is not again, but for what a sentence may begin in
				from := max(0, min(seen, len(pcm))-len(words[name])-tone.Rate/2)
				best[name] = max(best[name], likeness(pcm[from:], words[name]))
			}
			all = all && best[name] >= 0.7
		}
		seen = len(pcm)
		if all {
			return
		}
	}
	t.Fatalf("%s does not hear %v: %v", who, names, best)
}

// wordsOf is the loudest half second of a sentence as the library has it.
func wordsOf(t *testing.T, name string) []int16 {
	t.Helper()
	body, err := os.ReadFile("../../firmware/media/prompt/sounds/en/" + name + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	pcm, ok := tone.FromWAV(body)
	if !ok {
		pcm = alaw(body)
	}
	n := min(len(pcm), tone.Rate*2/5)
	at, loudest := 0, 0.0
	for i := 0; i+n <= len(pcm); i += 80 {
		if p := tone.Power(pcm[i : i+n]); i == 0 || p > loudest {
			at, loudest = i, p
		}
	}
	return pcm[at : at+n]
}

// alaw reads the library's files: A-law behind the data chunk's header.
func alaw(body []byte) []int16 {
	at := strings.Index(string(body), "data")
	return tone.NewCoder(tone.ALaw).Decode(nil, body[at+8:])
}

// likeness is the greatest correlation of a pattern with any part of a signal. It is sought coarsely, at a
// quarter of the rate, and measured where that is promising: at the full rate everywhere it would take longer
// than the sentence lasts.
func likeness(pcm, pattern []int16) (best float64) {
	const step, promising = 4, 0.4
	coarse, few := quarter(pcm), quarter(pattern)
	for i := 0; i+len(few) <= len(coarse); i++ {
		if correlation(coarse[i:], few) < promising {
			continue
		}
		for at := max(0, step*(i-1)); at <= step*(i+1) && at+len(pattern) <= len(pcm); at++ {
			best = max(best, correlation(pcm[at:], pattern))
		}
	}
	return best
}

// quarter is a signal at a quarter of its rate.
func quarter(pcm []int16) []int16 {
	out := make([]int16, len(pcm)/4)
	for i := range out {
		out[i] = int16((int(pcm[4*i]) + int(pcm[4*i+1]) + int(pcm[4*i+2]) + int(pcm[4*i+3])) / 4)
	}
	return out
}

// correlation compares a pattern with the beginning of a signal: 1 is the same at any volume. What is much
// softer than the pattern is like nothing.
func correlation(pcm, pattern []int16) float64 {
	pcm = pcm[:len(pattern)]
	var sum, own, its int64
	for k, x := range pattern {
		y := pcm[k]
		sum += int64(x) * int64(y)
		own += int64(x) * int64(x)
		its += int64(y) * int64(y)
	}
	if its < own/16 {
		return 0
	}
	return float64(sum) / math.Sqrt(float64(own)*float64(its))
}

func TestAnAgentHearsWhoWaitsAndTheOthersRingUntilTheBridge(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, LoggedIn: 2, Carrier: 5070, Strategy: "ring_all", Ring: time.Minute, Extra: ownPrompts,
		Queue: "waiting: {whisper: \"prompt:name\", whisper_wait: true}",
	})
	recordPrompts(t, o)
	anna, bruno, carrier := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzModem), carrierOf(t, o, hzCarrier)

	c := carrier.customer(mobileNumber)
	first, second := anna.ring(), bruno.ring()
	first.Answer()
	hearsTone(t, "Anna", first, hzName)
	select {
	case <-second.Ended():
		t.Fatal("the other phone stopped ringing before the bridge")
	default:
	}
	listen(t, "the caller during the whisper", c)
	first.Hangup() // asterisk#1557: the round goes on
	o.Lamp(201, tel.AgentReady)
	if !second.Answer() {
		t.Fatal("the other phone does not ring any more")
	}
	hearsTone(t, "Bruno", second, hzName)
	says(t, "Bruno", second, "whisper_short")
	hearsTone(t, "the caller", c, hzModem)
	talking(t, "after the whisper", c, hzCarrier, second, hzModem)
	over(t, c, second)

	anna.quietUntilGone(o)
	c = carrier.customer(mobileNumber)
	first, second = anna.ring(), bruno.ring()
	first.Answer()
	hearsTone(t, "the caller", c, hzAgent)
	talking(t, "the first", c, hzCarrier, first, hzAgent)
	within(t, "the end of the ring", second.Ended())
	answeredElsewhere(t, second)
	over(t, c, first)

	// Both pick up: who was later is let go at once, and the caller gets the first.
	c = carrier.customer(mobileNumber)
	first, second = anna.ring(), bruno.ring()
	first.Answer()
	hearsTone(t, "Anna", first, hzName)
	second.Answer()
	within(t, "the end of the later answer", second.Ended())
	hearsTone(t, "the caller", c, hzAgent)
	talking(t, "the earlier", c, hzCarrier, first, hzAgent)

	for i, w := range o.WaitRecords(3) {
		if w.Outcome != tel.OutcomeAnswered {
			t.Errorf("record %d: %+v", i, w)
		}
	}
	over(t, c, first)
}

// quietUntilGone takes what rang meanwhile off the desk.
func (d *desk) quietUntilGone(o *pbxtest.Office) {
	d.t.Helper()
	o.Until("the end of every call", func(n pbxtest.Now) bool { return len(n.Calls) == 0 })
	for {
		select {
		case c := <-d.rings:
			within(d.t, "the end of a late ring", c.Ended())
		default:
			return
		}
	}
}

func TestACallerWhoGivesUpDuringTheWhisperIsWrittenDownSo(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 1, LoggedIn: 1, Carrier: 5070, Extra: ownPrompts, Queue: "waiting: {whisper: \"prompt:name\"}",
	})
	recordPrompts(t, o)
	anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	c := carrier.customer(mobileNumber)
	at := anna.picksUp()
	hearsTone(t, "Anna", at, hzName)
	over(t, c, at)
	if w := o.WaitRecords(1)[0]; w.Outcome != tel.OutcomeAbandoned || w.Stage != tel.AbandonWhisper {
		t.Errorf("record %+v", w)
	}
	o.Lamp(201, tel.AgentReady)
}

func TestAKeyTakesACallerOutOfTheQueue(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, Carrier: 5070, Queue: "waiting: {exit: {\"9\": \"ext:201\"}}"})
	anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	c := carrier.customer(mobileNumber)
	listen(t, "in the queue", c)
	c.Audio().Press("9")
	talking(t, "after the key", c, hzCarrier, anna.picksUp(), hzAgent)
	if w := o.WaitRecords(1)[0]; w.Outcome != tel.OutcomeExitKey || w.To != "ext:201" {
		t.Errorf("record %+v", w)
	}
	c.Hangup()
}

func TestAQueueThatNobodyServesSendsItsCallersToAMobileAtTheSitesCost(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 1, Carrier: 5070, Routes: `{prefix: "+39333", via: ["trunk:carrier"]}`,
		Queue: "waiting: {leave_empty: true, grace: 2s, empty_to: \"outside:3337654321\"}",
	})
	carrier := carrierOf(t, o, hzCarrier)
	c := carrier.customer(mobileNumber)
	listen(t, "in the queue", c)
	owner := carrier.picksUp()
	if owner.Called != "+393337654321" {
		t.Errorf("%s is called", owner.Called)
	}
	within(t, "the owner's voice", owner.Answered())
	if w := o.WaitRecords(1)[0]; w.Outcome != tel.OutcomeEmpty || w.To != "outside:3337654321" {
		t.Errorf("record %+v", w)
	}
	over(t, c, owner)
}

func TestAnnouncementsAreSaidOverTheMusicAndCutOffByTheAnswer(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 1, Carrier: 5070, Extra: ownPrompts,
		Queue: "waiting: {announce: {position: true, head: true, messages: [\"prompt:web\"], message_every: 15s}}",
	})
	recordPrompts(t, o)
	anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	c := carrier.customer(mobileNumber)
	says(t, "the first", c, "greeting", "position_first")
	other := carrier.customer("+393337654321")
	says(t, "the second", other, "queue_ahead_one")
	toneOverMusic(t, "the first", c, hzWeb)
	anna.code("*41") // logs in
	talking(t, "in the middle of the message", c, hzCarrier, anna.picksUp(), hzAgent)
	says(t, "the second, who is next now", other, "position_first")
	other.Hangup()
	c.Hangup()
}

func TestACallerWhoCallsAgainHasTheOldPlaceAlsoAfterACrash(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, Carrier: 5070})
	anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	waits := func(n int) {
		t.Helper()
		o.Until("callers to wait", func(now pbxtest.Now) bool { return len(now.Waits) == n })
	}
	first := carrier.customer(mobileNumber)
	listen(t, "the first", first)
	waits(1)
	second := carrier.customer("+393337654321")
	listen(t, "the second", second)
	waits(2)
	first.Hangup()
	waits(1)
	o.Kill()
	waits(1)
	again := carrier.customer(mobileNumber)
	listen(t, "the first again", again)
	waits(2)
	o.Phone(201)
	anna.code("*41")
	at := anna.picksUp()
	if at.Caller != mobileNumber {
		t.Errorf("%s is served first", at.Caller)
	}
	talking(t, "served", again, hzCarrier, at, hzAgent)
	again.Hangup()
	second.Hangup()
}
