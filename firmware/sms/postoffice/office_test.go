package postoffice_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/sms"
	"github.com/pronto-pbx/pronto/firmware/sms/postoffice"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what an office sees: one line, a page, a history.
type world struct {
	t    *testing.T
	path string

	mu      sync.Mutex
	busy    bool
	outcome func(part int) (int, error)
	sent    []string
	events  []string
	history []string
	deaf    bool // the history refuses
	refused error
	hold    chan struct{}
}

func (w *world) Parts(m line.OutgoingMessage) (int, error) {
	if m.Text == "" {
		return 0, line.ErrUnsendable
	}
	return (len(m.Text) + 9) / 10, nil
}

func (w *world) Ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.busy
}

func (w *world) SendPart(ctx context.Context, m line.OutgoingMessage, part int) (int, error) {
	w.mu.Lock()
	w.sent = append(w.sent, fmt.Sprintf("%s %s %d", m.To, m.Text, part))
	n, outcome, hold := len(w.sent), w.outcome, w.hold
	w.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return -1, line.ErrUncertain
		}
	}
	if outcome != nil {
		return outcome(part)
	}
	return n, nil
}

func (w *world) note(list *[]string, e tel.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := e.(type) {
	case tel.SMSReceived:
		*list = append(*list, "received "+e.Text)
	case tel.SMSSent:
		*list = append(*list, "sent "+e.Text)
	case tel.SMSFailed:
		*list = append(*list, string(e.State)+" "+e.Text)
	case tel.SMSDelivered:
		*list = append(*list, string(e.State)+" "+e.Text)
	case tel.SMSWaits:
		*list = append(*list, "waits "+e.Text)
	}
}

var errPremium = errors.New("premium")

func (w *world) open() *postoffice.Office {
	w.t.Helper()
	o, err := postoffice.Open(postoffice.Config{
		Log: slog.New(slog.DiscardHandler), Path: w.path, Rules: sms.Rules{Hour: 20, Day: 20, HourIn: 50, Wait: 72 * time.Hour, Try: 24 * time.Hour},
		Line: func(l tel.LineID) (line.Messages, error) {
			if l != "gsm0" {
				return nil, postoffice.ErrNoLine
			}
			return w, nil
		},
		Permit: func(to tel.Number) error {
			if to == "899123456" {
				return errPremium
			}
			return nil
		},
		Publish: func(e tel.Event) { w.note(&w.events, e) },
		Record: func(e tel.Event, done func(error)) {
			w.mu.Lock()
			deaf := w.deaf
			w.mu.Unlock()
			if deaf {
				done(errors.New("disk full"))
				return
			}
			w.note(&w.history, e)
			done(nil)
		},
		Admitted: func(_ tel.LineID, why error) { w.set(func() { w.refused = why }) },
		Saved:    func(error) {}, Full: func(tel.LineID, int, int) {}, Notify: func(tel.LineID, string) {},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (w *world) seen() (sent, events, history []string) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent, w.events, w.history
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// inside runs a test with a directory of its own, in time that passes by itself.
func inside(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sms.json")
	synctest.Test(t, func(t *testing.T) { f(t, &world{t: t, path: path}) })
}

func text(raw, s string) line.ReceivedPart {
	return line.ReceivedPart{Line: "gsm0", Kind: line.TextPart, Raw: raw, From: "TIM", Text: utf16.Encode([]rune(s)), Part: 1, Parts: 1}
}

// accept hands a part over and returns what the driver is told.
func accept(o *postoffice.Office, p line.ReceivedPart) error {
	done := make(chan error, 1)
	o.Accept(p, func(err error) { done <- err })
	return <-done
}

func expect(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestAReceivedMessageIsToldAndRecordedOnceThroughARestart(t *testing.T) {
	inside(t, func(t *testing.T, w *world) {
		o := w.open()
		if err := accept(o, text("AA", "ciao")); err != nil {
			t.Fatal(err)
		}
		o.Close()
		o = w.open()
		if err := accept(o, text("AA", "ciao")); err != nil { // the modem was killed before it deleted it
			t.Fatal(err)
		}
		_, events, history := w.seen()
		expect(t, "told", events, []string{"received ciao"})
		expect(t, "recorded", history, []string{"received ciao"})
		recent, err := o.Recent(t.Context())
		if err != nil || len(recent) != 1 || recent[0].From != "TIM" {
			t.Errorf("recent %+v %v", recent, err)
		}
		o.Close()
	})
}

func TestNothingIsAcknowledgedThatTheDiskDoesNotHave(t *testing.T) {
	inside(t, func(t *testing.T, w *world) {
		o := w.open()
		synctest.Wait()
		blocker := w.path + ".part" // what the next write would begin with
		if err := os.Mkdir(blocker, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := accept(o, text("AA", "ciao")); err == nil {
			t.Error("acknowledged without a disk")
		}
		if _, err := o.Send(t.Context(), "gsm0", "333", "out"); err == nil {
			t.Error("taken without a disk")
		}
		sent, events, _ := w.seen()
		expect(t, "sent", sent, nil)
		expect(t, "told", events, nil)
		if err := os.Remove(blocker); err != nil {
			t.Fatal(err)
		}
		if err := accept(o, text("AA", "ciao")); err != nil {
			t.Errorf("with a disk: %v", err)
		}
		time.Sleep(time.Minute)
		sent, events, _ = w.seen()
		expect(t, "sent", sent, nil) // who asked was told no
		expect(t, "told", events, []string{"received ciao"})
		o.Close()
	})
}

func TestAMessageIsSentPartByPartAndTold(t *testing.T) {
	inside(t, func(t *testing.T, w *world) {
		o := w.open()
		if _, err := o.Send(t.Context(), "gsm0", "333 123", "more than ten"); err != nil {
			t.Fatal(err)
		}
		sent, events, history := w.seen()
		expect(t, "sent", sent, []string{"333123 more than ten 0", "333123 more than ten 1"})
		expect(t, "told", events, []string{"waits more than ten", "sent more than ten"})
		expect(t, "recorded", history, []string{"sent more than ten"})
		o.Close()
	})
}

func TestAMessageWaitsForTheLine(t *testing.T) {
	inside(t, func(t *testing.T, w *world) {
		w.busy = true
		o := w.open()
		if _, err := o.Send(t.Context(), "gsm0", "333", "x"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		sent, _, _ := w.seen()
		expect(t, "sent in a call", sent, nil)
		o.Close()
		o = w.open() // it waits through a restart, too
		w.set(func() { w.busy = false })
		time.Sleep(3 * time.Second)
		sent, events, _ := w.seen()
		expect(t, "sent", sent, []string{"333 x 0"})
		expect(t, "told", events, []string{"waits x", "sent x"})
		o.Close()
	})
}

func TestAMessageThatWasOnItsWayWhenTheProgramEndedIsNotSentAgain(t *testing.T) {
	inside(t, func(t *testing.T, w *world) {
		w.hold = make(chan struct{})
		o := w.open()
		if _, err := o.Send(t.Context(), "gsm0", "333", "x"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		kept, err := os.ReadFile(w.path) // what a killed process leaves
		if err != nil {
			t.Fatal(err)
		}
		o.Close()
		w.set(func() { w.events, w.history, w.hold = nil, nil, nil })
		if err := os.WriteFile(w.path, kept, 0o600); err != nil {
			t.Fatal(err)
		}
		o = w.open()
		time.Sleep(time.Hour)
		sent, events, history := w.seen()
		expect(t, "sent", sent, []string{"333 x 0"})
		expect(t, "told", events, []string{"uncertain x"})
		expect(t, "recorded", history, []string{"uncertain x"})
		o.Close()
	})
}

func TestARefusalIsTriedAgainOrSaid(t *testing.T) {
	inside(t, func(t *testing.T, w *world) {
		tries := 0
		w.outcome = func(int) (int, error) {
			if tries++; tries < 3 {
				return -1, &line.RefusedMessage{Code: 42, Why: "congested", Temporary: true}
			}
			return -1, &line.RefusedMessage{Code: 1, Why: "no such number"}
		}
		o := w.open()
		if _, err := o.Send(t.Context(), "gsm0", "333", "x"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Minute)
		sent, events, _ := w.seen()
		expect(t, "sent", sent, []string{"333 x 0", "333 x 0", "333 x 0"})
		expect(t, "told", events, []string{"waits x", "failed x"})
		o.Close()
	})
}

func TestWhatTheHistoryDoesNotTakeIsGivenToItAgain(t *testing.T) {
	inside(t, func(t *testing.T, w *world) {
		w.deaf = true
		o := w.open()
		if err := accept(o, text("AA", "ciao")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.set(func() { w.deaf = false })
		time.Sleep(time.Minute)
		_, events, history := w.seen()
		expect(t, "told", events, []string{"received ciao"})
		expect(t, "recorded", history, []string{"received ciao"})
		o.Close()
	})
}

func TestWhoMayNotSendIsToldWhy(t *testing.T) {
	inside(t, func(t *testing.T, w *world) {
		o := w.open()
		for name, tt := range map[string]struct {
			line tel.LineID
			to   tel.Number
			text string
			want error
		}{
			"a premium number":  {"gsm0", "899 123456", "x", errPremium},
			"no number":         {"gsm0", "anna", "x", tel.ErrNumber},
			"no line":           {"gsm9", "333", "x", postoffice.ErrNoLine},
			"nothing to say":    {"gsm0", "333", "", line.ErrUnsendable},
			"more than may be":  {"gsm0", "333", string(make([]byte, 201)), sms.ErrLimit},
			"no line, no limit": {"", "333", "x", postoffice.ErrNoLine},
		} {
			if _, err := o.Send(t.Context(), tt.line, tt.to, tt.text); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
		o.Close()
		if _, err := o.Send(t.Context(), "gsm0", "333", "x"); !errors.Is(err, line.ErrDown) {
			t.Errorf("after the end: %v", err)
		}
		if err := accept(o, text("BB", "late")); err == nil {
			t.Error("acknowledged after the end")
		}
	})
}

func TestADamagedFileIsPutAsideAndTheOfficeOpens(t *testing.T) {
	inside(t, func(t *testing.T, w *world) {
		if err := os.WriteFile(w.path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		o := w.open()
		if err := accept(o, text("AA", "ciao")); err != nil {
			t.Error(err)
		}
		o.Close()
		if _, err := os.Stat(w.path + ".damaged"); err != nil {
			t.Error(err)
		}
	})
}

func TestAFloodStaysOnTheSIMAndIsTold(t *testing.T) {
	inside(t, func(t *testing.T, w *world) {
		o := w.open()
		for i := range 60 {
			err := accept(o, text(fmt.Sprintf("%02X", i), "x"))
			if over := i >= 50; errors.Is(err, sms.ErrFlood) != over {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		w.set(func() {
			if !errors.Is(w.refused, sms.ErrFlood) {
				t.Errorf("told: %v", w.refused)
			}
		})
		time.Sleep(time.Hour)
		if err := accept(o, text("3B", "x")); err != nil {
			t.Errorf("an hour later: %v", err)
		}
		w.set(func() {
			if w.refused != nil {
				t.Errorf("told: %v", w.refused)
			}
		})
		o.Close()
	})
}
