package sms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/sms"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var start = time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)

var rules = sms.Rules{Hour: 10, Day: 20, Wait: 72 * time.Hour, Try: 24 * time.Hour}

func numbered() func() tel.SMSID {
	n := 0
	return func() tel.SMSID { n++; return tel.SMSID(fmt.Sprint("s", n)) }
}

func newBox() *sms.Box { return sms.New(sms.State{}, rules, numbered(), start) }

// part is part n of so many, with a PDU of its own.
func part(from, text string, join, n, of int) line.ReceivedPart {
	return line.ReceivedPart{
		Line: "gsm0", Kind: line.TextPart, Raw: fmt.Sprintf("%s/%d/%d/%d/%s", from, join, n, of, text), From: from,
		Text: utf16.Encode([]rune(text)), Join: join, Part: n, Parts: of, Sent: start,
	}
}

func texts(b *sms.Box) (all []string) {
	for _, m := range b.Untold() {
		all = append(all, string(m.State)+" "+m.Text)
	}
	return all
}

func TestReceivedParts(t *testing.T) {
	a := func(n int) line.ReceivedPart { return part("TIM", fmt.Sprint("a", n), 1, n, 3) }
	b := func(n int) line.ReceivedPart { return part("TIM", fmt.Sprint("b", n), 2, n, 3) }
	tests := map[string]struct {
		parts []line.ReceivedPart
		days  int
		want  []string
	}{
		"a whole message":                              {[]line.ReceivedPart{part("TIM", "ciao", 0, 1, 1)}, 0, []string{"received ciao"}},
		"parts in order":                               {[]line.ReceivedPart{a(1), a(2), a(3)}, 0, []string{"received a1a2a3"}},
		"parts out of order":                           {[]line.ReceivedPart{a(3), a(1), a(2)}, 0, []string{"received a1a2a3"}},
		"the same PDU twice":                           {[]line.ReceivedPart{a(1), a(1), a(2), a(3), a(3)}, 0, []string{"received a1a2a3"}},
		"a whole message read twice from the SIM":      {[]line.ReceivedPart{part("TIM", "ciao", 0, 1, 1), part("TIM", "ciao", 0, 1, 1)}, 0, []string{"received ciao"}},
		"two messages of one sender, part by part":     {[]line.ReceivedPart{a(1), b(1), b(2), a(2), b(3), a(3)}, 0, []string{"received b1b2b3", "received a1a2a3"}},
		"a part that misses is waited for":             {[]line.ReceivedPart{a(1), a(3)}, 2, nil},
		"a part that never comes leaves a gap":         {[]line.ReceivedPart{a(1), a(3)}, 3, []string{"received a1[...]a3"}},
		"the last part never comes":                    {[]line.ReceivedPart{a(1), a(2)}, 3, []string{"received a1a2[...]"}},
		"a reference that is used again too early":     {[]line.ReceivedPart{a(1), a(2), part("TIM", "new", 1, 1, 3)}, 0, []string{"received a1a2[...]"}},
		"senders with the same reference are two":      {[]line.ReceivedPart{a(1), part("ho.", "x", 1, 2, 3), a(2), a(3)}, 0, []string{"received a1a2a3"}},
		"a character that is cut between two parts":    {cut(), 0, []string{"received 😀"}},
		"what cannot be read is told with its reasons": {[]line.ReceivedPart{{Line: "gsm0", Kind: line.UnreadablePart, Raw: "FF", Why: "half"}}, 0, []string{"unreadable "}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			box := newBox()
			for _, p := range tt.parts {
				box.Accept(p, start)
				box = sms.New(through(t, box.State()), rules, numbered(), start) // a restart after every part
			}
			box.Turn(start.AddDate(0, 0, tt.days))
			if got := texts(box); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("told %q, want %q", got, tt.want)
			}
		})
	}
}

func cut() []line.ReceivedPart {
	one, two := part("TIM", "", 9, 1, 2), part("TIM", "", 9, 2, 2)
	units := utf16.Encode([]rune("😀"))
	one.Text, two.Text = units[:1], units[1:]
	one.Raw, two.Raw = "1", "2"
	return []line.ReceivedPart{one, two}
}

// through is the state after it was written and read.
func through(t *testing.T, s sms.State) (back sms.State) {
	t.Helper()
	body, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestAFloodOfUnfinishedMessagesIsBounded(t *testing.T) {
	box := newBox()
	for i := range 3000 {
		box.Accept(part(fmt.Sprint("+39333", i), "half", 1, 1, 2), start)
	}
	s := box.State()
	if len(s.Parts) != 2000 || len(s.Seen) != 2000 || len(s.Untold) != 1000 || len(s.Recent) != 200 {
		t.Errorf("kept %d parts, %d digests, %d to tell, %d recent", len(s.Parts), len(s.Seen), len(s.Untold), len(s.Recent))
	}
	if s.Untold[0].Text != "half[...]" || s.Untold[0].Lacks != 1 {
		t.Errorf("the oldest became %+v", s.Untold[0])
	}
}

// queue takes a message of so many parts.
func queue(t *testing.T, b *sms.Box, parts int, at time.Time) tel.SMS {
	t.Helper()
	m, err := b.Queue("gsm0", "+393331234567", "testo", parts, at)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// give hands the next part to a line that answers so.
func give(t *testing.T, b *sms.Box, ref int, err error, at time.Time) {
	t.Helper()
	j, ok := b.Next("gsm0", at)
	if !ok {
		t.Fatal("no part to send")
	}
	b.Done(j, ref, err, at)
}

func report(ref byte, d line.DeliveryStatus) line.ReceivedPart {
	return line.ReceivedPart{Line: "gsm0", Kind: line.DeliveryReport, Raw: fmt.Sprint("report", ref, d), From: "+393331234567", Reference: ref, Delivery: d}
}

func TestAMessageOfOurs(t *testing.T) {
	no := &line.RefusedMessage{Code: 21, Why: "rejected"}
	later := &line.RefusedMessage{Code: 42, Why: "congested", Temporary: true}
	tests := map[string]struct {
		parts int
		play  func(t *testing.T, b *sms.Box)
		want  []string
	}{
		"is sent": {1, func(t *testing.T, b *sms.Box) { give(t, b, 7, nil, start) }, []string{"sent testo"}},
		"is sent when all its parts are": {2, func(t *testing.T, b *sms.Box) {
			give(t, b, 7, nil, start)
			if len(texts(b)) > 0 {
				t.Error("told too early")
			}
			give(t, b, 8, nil, start)
		}, []string{"sent testo"}},
		"is delivered when all its parts are": {2, func(t *testing.T, b *sms.Box) {
			give(t, b, 255, nil, start)
			give(t, b, 0, nil, start)
			b.Accept(report(0, line.StillTrying), start)
			b.Accept(report(0, line.Delivered), start)
			b.Accept(report(0, line.Delivered), start)
			b.Accept(report(255, line.Delivered), start)
		}, []string{"sent testo", "delivered testo"}},
		"is delivered before the modem has said OK": {1, func(t *testing.T, b *sms.Box) {
			j, _ := b.Next("gsm0", start)
			b.Accept(report(7, line.Delivered), start)
			b.Done(j, 7, nil, start)
		}, []string{"sent testo", "delivered testo"}},
		"is not delivered by another's report": {1, func(t *testing.T, b *sms.Box) {
			give(t, b, 7, nil, start)
			b.Accept(report(8, line.Delivered), start)
			other := report(7, line.Delivered)
			other.From = "+393339999999"
			b.Accept(other, start)
		}, []string{"sent testo"}},
		"whose reference is not known is found by its recipient": {1, func(t *testing.T, b *sms.Box) {
			give(t, b, -1, nil, start)
			b.Accept(report(8, line.Delivered), start)
		}, []string{"sent testo", "delivered testo"}},
		"is undeliverable": {1, func(t *testing.T, b *sms.Box) {
			give(t, b, 7, nil, start)
			b.Accept(report(7, line.Undeliverable), start)
		}, []string{"sent testo", "undeliverable testo"}},
		"fails for good": {1, func(t *testing.T, b *sms.Box) { give(t, b, -1, no, start) }, []string{"failed testo"}},
		"is tried again after a pause": {1, func(t *testing.T, b *sms.Box) {
			give(t, b, -1, later, start)
			if _, ok := b.Next("gsm0", start.Add(59*time.Second)); ok {
				t.Error("no pause")
			}
			give(t, b, 7, nil, start.Add(time.Minute))
		}, []string{"sent testo"}},
		"is tried at once when its line is back": {1, func(t *testing.T, b *sms.Box) {
			give(t, b, -1, line.ErrDown, start)
			b.LineUp("gsm0")
			give(t, b, 7, nil, start)
		}, []string{"sent testo"}},
		"is given up after a day": {1, func(t *testing.T, b *sms.Box) {
			give(t, b, -1, later, start)
			b.Turn(start.Add(24 * time.Hour))
		}, []string{"failed testo"}},
		"that may have been sent is not sent again": {1, func(t *testing.T, b *sms.Box) {
			give(t, b, -1, line.ErrUncertain, start)
			if _, ok := b.Next("gsm0", start.Add(time.Hour)); ok {
				t.Error("it is sent again")
			}
		}, []string{"uncertain testo"}},
		"that may have been sent is delivered after all": {1, func(t *testing.T, b *sms.Box) {
			give(t, b, -1, line.ErrUncertain, start)
			b.Accept(report(9, line.Delivered), start)
		}, []string{"uncertain testo", "delivered testo"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox()
			queue(t, b, tt.parts, start)
			tt.play(t, b)
			if got := texts(b); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("told %q, want %q", got, tt.want)
			}
		})
	}
}

func TestARestartSendsWhatWaitsAndNotWhatMayHaveBeenSent(t *testing.T) {
	b := newBox()
	queue(t, b, 1, start)
	queue(t, b, 2, start)
	j, _ := b.Next("gsm0", start)
	b = sms.New(through(t, b.State()), rules, numbered(), start)
	if got := texts(b); !reflect.DeepEqual(got, []string{"uncertain testo"}) {
		t.Errorf("told %q of %+v", got, j)
	}
	give(t, b, 1, nil, start)
	b = sms.New(through(t, b.State()), rules, numbered(), start)
	if j, ok := b.Next("gsm0", start); !ok || j.Part != 1 {
		t.Errorf("goes on with %+v %v", j, ok)
	}
}

func TestALineSendsNoMoreThanItMay(t *testing.T) {
	b := newBox()
	for range 3 {
		queue(t, b, 3, start)
	}
	if _, err := b.Queue("gsm0", "333", "x", 2, start); !errors.Is(err, sms.ErrLimit) {
		t.Errorf("eleven of ten per hour: %v", err)
	}
	if _, err := b.Queue("gsm1", "333", "x", 10, start); err != nil {
		t.Errorf("another line: %v", err)
	}
	for i := range 9 {
		give(t, b, i, nil, start)
	}
	if _, err := b.Queue("gsm0", "333", "x", 2, start.Add(59*time.Minute)); !errors.Is(err, sms.ErrLimit) {
		t.Errorf("eleven within an hour: %v", err)
	}
	later := start.Add(61 * time.Minute)
	queue(t, b, 10, later)
	if _, err := b.Queue("gsm0", "333", "x", 2, later); !errors.Is(err, sms.ErrLimit) {
		t.Errorf("21 of 20 per day: %v", err)
	}
}

func TestTheOutboxIsBounded(t *testing.T) {
	b := sms.New(sms.State{}, sms.Rules{Wait: time.Hour, Try: time.Hour}, numbered(), start)
	for range 500 {
		queue(t, b, 1, start)
	}
	if _, err := b.Queue("gsm0", "333", "x", 1, start); !errors.Is(err, sms.ErrFull) {
		t.Errorf("the 501st: %v", err)
	}
}

// Whatever happens in whatever order, with a restart at any moment: no part is given to a line twice
// unless the line said that it was not sent, each message has one end, and nothing that was received is lost.
func TestPropertiesOfTheBox(t *testing.T) {
	for seed := range uint64(150) {
		w := &walk{t: t, random: rand.New(rand.NewPCG(seed, 3)), now: start, given: map[string]bool{}, ends: map[tel.SMSID]int{}}
		w.ids = numbered()
		w.box = sms.New(sms.State{}, sms.Rules{Wait: 72 * time.Hour, Try: 24 * time.Hour}, w.ids, start)
		for range 400 {
			w.turn()
		}
		w.box = sms.New(through(t, w.box.State()), rules, w.ids, w.now) // what is with the line will not come back
		w.box.Turn(w.now.Add(30 * 24 * time.Hour))
		w.collect()
		if s := w.box.State(); len(s.Parts) > 0 || len(s.Outbox) > 0 {
			t.Fatalf("seed %d: %d parts and %d messages wait for ever", seed, len(s.Parts), len(s.Outbox))
		}
		for id, n := range w.ends {
			if n != 1 {
				t.Fatalf("seed %d: message %s ended %d times", seed, id, n)
			}
		}
		for _, text := range w.received {
			if strings.Count(w.told, text) != 1 {
				t.Fatalf("seed %d: %q was told %d times", seed, text, strings.Count(w.told, text))
			}
		}
	}
}

type walk struct {
	t        *testing.T
	random   *rand.Rand
	now      time.Time
	box      *sms.Box
	ids      func() tel.SMSID
	job      *sms.Job
	given    map[string]bool
	ends     map[tel.SMSID]int
	received []string
	told     string
	n        int
}

func (w *walk) collect() {
	for _, m := range w.box.Untold() {
		switch m.State {
		case tel.SMSOut, tel.SMSFailure, tel.SMSUncertain:
			w.ends[m.ID]++
		case tel.SMSIn:
			w.told += m.Text
		}
		w.box.Told(m)
	}
}

func (w *walk) turn() {
	w.now = w.now.Add(time.Duration(w.random.IntN(600)) * time.Second)
	switch w.random.IntN(8) {
	case 0:
		if m, err := w.box.Queue("gsm0", "+393331234567", "x", 1+w.random.IntN(3), w.now); err == nil {
			w.ends[m.ID] = 0
		}
	case 1:
		if w.job != nil {
			return
		}
		if j, ok := w.box.Next("gsm0", w.now); ok {
			key := fmt.Sprint(j.ID, "/", j.Part)
			if w.given[key] {
				w.t.Fatalf("part %s is given twice", key)
			}
			w.given[key], w.job = true, &j
		}
	case 2, 3:
		w.settle()
	case 4:
		w.box = sms.New(through(w.t, w.box.State()), sms.Rules{Wait: 72 * time.Hour, Try: 24 * time.Hour}, w.ids, w.now)
		w.job = nil
	case 5:
		w.box.Accept(report(byte(w.random.IntN(8)), line.DeliveryStatus(1+w.random.IntN(3))), w.now)
	case 6:
		w.box.Turn(w.now)
	default:
		w.n++
		of := 1 + w.random.IntN(3)
		n := 1 + w.random.IntN(of)
		p := part("TIM", fmt.Sprintf("<%d>", w.n), w.random.IntN(3), n, of)
		w.box.Accept(p, w.now)
		w.box.Accept(p, w.now)
		w.received = append(w.received, fmt.Sprintf("<%d>", w.n))
	}
	w.collect()
}

func (w *walk) settle() {
	if w.job == nil {
		return
	}
	outcomes := []error{nil, nil, line.ErrDown, line.ErrUncertain, &line.RefusedMessage{Temporary: true}, &line.RefusedMessage{}}
	err := outcomes[w.random.IntN(len(outcomes))]
	if err != nil && !errors.Is(err, line.ErrUncertain) {
		delete(w.given, fmt.Sprint(w.job.ID, "/", w.job.Part))
	}
	w.box.Done(*w.job, w.random.IntN(9)-1, err, w.now)
	w.job = nil
}

func TestALineTakesNoMoreThanItMayAndTheRestStaysWhereItIs(t *testing.T) {
	b := sms.New(sms.State{}, sms.Rules{HourIn: 100, DayIn: 250, Wait: time.Hour, Try: time.Hour}, numbered(), start)
	taken := 0
	offer := func(i int, at time.Time) error {
		p := part("+39333", fmt.Sprint("flood ", i), 0, 1, 1)
		p.Raw = fmt.Sprint("raw ", i)
		err := b.Admit(p, at)
		if err == nil && b.Accept(p, at) {
			taken++
			for _, m := range b.Untold() {
				b.Told(m)
			}
		}
		return err
	}
	for i := range 10_000 { // in two days, at an even pace; the network offers each once
		if err := offer(i, start.Add(time.Duration(i)*48*time.Hour/10_000)); err != nil && !errors.Is(err, sms.ErrFlood) {
			t.Fatal(err)
		}
	}
	if taken < 400 || taken > 510 {
		t.Errorf("%d were taken in two days", taken)
	}
	s := b.State()
	minutes := 0
	for _, m := range s.Came {
		minutes += len(m)
	}
	if len(s.Seen) > 2000 || len(s.Untold) != 0 || len(s.Recent) > 200 || minutes > 24*60+1 {
		t.Errorf("kept %d digests, %d to tell, %d recent, %d minutes", len(s.Seen), len(s.Untold), len(s.Recent), minutes)
	}
	other := part("+39333", "of another line", 0, 1, 1)
	other.Line = "gsm1"
	if err := b.Admit(other, start.Add(48*time.Hour)); err != nil {
		t.Errorf("another line: %v", err)
	}
	if err := b.Admit(report(1, line.Delivered), start.Add(48*time.Hour)); err != nil {
		t.Errorf("a delivery report: %v", err)
	}
	if err := b.Admit(part("+39333", "days later", 0, 1, 1), start.Add(96*time.Hour)); err != nil {
		t.Errorf("when the flood is over: %v", err)
	}
}

func TestNothingIsTakenWhileTheHistoryTakesNothing(t *testing.T) {
	b := newBox()
	var err error
	n := 0
	for ; err == nil && n < 10_000; n++ {
		p := part("+39333", "x", 0, 1, 1)
		p.Raw = fmt.Sprint("raw ", n)
		if err = b.Admit(p, start); err == nil {
			b.Accept(p, start)
		}
	}
	if !errors.Is(err, sms.ErrBacklog) || n > 501 {
		t.Errorf("%d were taken: %v", n, err)
	}
}

func TestAMessageOnWhichTheNetworkNeverReportsIsSettled(t *testing.T) {
	box := newBox()
	queue(t, box, 2, start)
	give(t, box, 1, nil, start)
	give(t, box, 2, nil, start)
	box.Accept(report(1, line.Delivered), start.Add(time.Minute))
	next := box.Turn(start.Add(time.Hour))
	if want := start.Add(7 * 24 * time.Hour); !next.Equal(want) {
		t.Fatalf("it is looked at again at %v, want %v", next, want)
	}
	box = sms.New(through(t, box.State()), rules, numbered(), start)
	box.Turn(next)
	all := box.Recent()
	if m := all[len(all)-1]; m.State != tel.SMSUnreported || m.Why != "the network reported on 1 of 2 parts" {
		t.Errorf("it became %+v", m)
	}
	if len(box.State().Sent) != 0 {
		t.Error("it is still waited for")
	}
	queue(t, box, 1, next)
	give(t, box, 3, line.ErrUncertain, next)
	box.Turn(next.Add(8 * 24 * time.Hour))
	all = box.Recent()
	if m := all[len(all)-1]; m.State != tel.SMSUncertain {
		t.Errorf("an uncertain one became %+v", m)
	}
}
