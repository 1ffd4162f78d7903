package main_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func mailboxOffice(t *testing.T) (o *pbxtest.Office, anna, carrier *desk, post *pbxtest.LetterBox) {
	t.Helper()
	post = pbxtest.NewLetterBox(t)
	o = bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, In: "ext:201", Calls: person(201, `ring: 5s, forward: {no_answer: "voicemail:201", busy: "voicemail:201"}`),
		Extra: fmt.Sprintf(`voicemail: {boxes: [{number: "201", pin: "90210", own_phone: true, mail: "anna@shop.test"}, {number: "202", pin: "58313"}]}
mail: {server: 127.0.0.1, port: %d, security: none, from: "Pronto <box@shop.test>"}
`, post.Port()),
	})
	return o, deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier), post
}

// speaksOnTape waits until a mailbox records, and for what is said then.
func speaksOnTape(t *testing.T, o *pbxtest.Office) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if tapes, err := filepath.Glob(filepath.Join(o.Dir, "voicemail", "spool", "*.part")); err == nil && len(tapes) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the mailbox does not record")
		}
	}
	time.Sleep(3 * time.Second)
}

func TestAMessageIsLeftShownMailedHeardAndDeleted(t *testing.T) {
	t.Parallel()
	o, anna, carrier, post := mailboxOffice(t)
	lamp := subscribe(t, anna.Peer, "message-summary", "201")
	note(t, lamp, "Messages-Waiting: no")
	c := carrier.customer(mobileNumber)
	ring := anna.ring()
	within(t, "the end of the ring at the desk", ring.Ended())
	answered(t, "the mailbox", c)
	listen(t, "the greeting of the mailbox", c)
	c.Audio().Press("#")
	speaksOnTape(t, o)
	c.Hangup()
	note(t, lamp, "Messages-Waiting: yes", "Voice-Message: 1/0")
	l := post.Next()
	if l.To != "anna@shop.test" && !strings.Contains(l.To, "<anna@shop.test>") || !strings.Contains(l.Subject, mobileNumber) {
		t.Errorf("the mail is for %q: %q", l.To, l.Subject)
	}
	hears(t, "the reader of the mail", tone.Tail(l.Sound, 2*tone.Rate, tone.Rate/2), hzCarrier)

	box := anna.talksTo("*97")
	listen(t, "the menu of the mailbox", box)
	box.Audio().Press("1#") // listen, and skip when it came and from whom
	hearsTone(t, "Anna", box, hzCarrier)
	box.Audio().Press("3")
	note(t, lamp, "Messages-Waiting: no", "Voice-Message: 0/0")
	box.Hangup()
}

// What was said before a crash is delivered, and the caller may go on after another beep.
func TestAMessageUnderWaySurvivesACrash(t *testing.T) {
	t.Parallel()
	o, anna, carrier, post := mailboxOffice(t)
	lamp := subscribe(t, anna.Peer, "message-summary", "201")
	note(t, lamp, "Messages-Waiting: no")
	go func() { (<-anna.rings).Reject(486) }() // busy: straight to the mailbox
	c := carrier.customer(mobileNumber)
	stage(o, tel.StageMenu)
	listen(t, "the greeting of the mailbox", c)
	c.Audio().Press("#")
	said := []int{hzCarrier, hzStranger, hzModem} // a crash between each two
	for i, hz := range said {
		c.Audio().Voice(hz)
		speaksOnTape(t, o)
		if i == len(said)-1 {
			c.Hangup()
		} else {
			o.Kill()
			stage(o, tel.StageMenu)
		}
		note(t, lamp, fmt.Sprintf("Voice-Message: %d/0", i+1))
	}
	// A mail whose delivery met the crash comes again later, maybe after the next one.
	letters := []pbxtest.Letter{post.Next(), post.Next(), post.Next()}
	for _, hz := range said {
		if !slices.ContainsFunc(letters, func(l pbxtest.Letter) bool {
			return tone.Heard(tone.Tail(l.Sound, tone.Rate*3/2, tone.Rate/2), hz, tone.Others(tones, hz)...) == nil
		}) {
			t.Errorf("nobody can read what was said at %d Hz", hz)
		}
	}
}

// From elsewhere the mailbox asks for its number's code; three wrong ones end the call.
func TestAMailboxOpensElsewhereWithItsCode(t *testing.T) {
	t.Parallel()
	o, _, _, _ := mailboxOffice(t)
	bruno := deskAt(t, o, 202, hzCaller)
	c := bruno.talksTo("*98201")
	listen(t, "the question for the code", c)
	c.Audio().Press("11111#")
	time.Sleep(3 * time.Second)
	listen(t, "that it was wrong", c)
	c.Audio().Press("90210#")
	time.Sleep(2500 * time.Millisecond)
	stage(o, tel.StageMenu)
	c.Audio().Forget()
	listen(t, "the menu of the mailbox", c)
	c.Audio().Press("#") // goodbye
	within(t, "the end", c.Ended())
}
