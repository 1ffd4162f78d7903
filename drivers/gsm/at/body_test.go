package at_test

import (
	"errors"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
)

var message = at.Command{Text: "AT+CMGS=20", Body: "0011AA", Prefix: "+CMGS:"}

func TestAPromptGetsTheTextOfTheMessageThatAskedForIt(t *testing.T) {
	tests := map[string]struct {
		before, after string
		urcs          []string
	}{
		"plainly":                        {"\r\n> ", "\r\n+CMGS: 7\r\n\r\nOK\r\n", nil},
		"with echo of command and text":  {"AT+CMGS=20\r\r\n> ", "0011AA\r\n+CMGS: 7\r\n\r\nOK\r\n", nil},
		"with a call that comes between": {"\r\nRING\r\n\r\n> ", "\r\nRING\r\n\r\n+CMGS: 7\r\n\r\nOK\r\n", []string{"RING", "RING"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, at.Config{Unsolicited: func(l string) bool { return l == "RING" }})
				sent := b.ask(t.Context(), message)
				waits := b.ask(t.Context(), at.Command{Text: "AT"})
				b.expect("AT+CMGS=20")
				b.say(tt.before)
				synctest.Wait()
				b.say(tt.after)
				if a := <-sent; a.err != nil || !reflect.DeepEqual(a.reply.Lines, []string{"+CMGS: 7"}) {
					t.Errorf("%+v", a)
				}
				b.expect("0011AA\x1aAT") // nothing stands between text and final
				b.say("\r\nOK\r\n")
				if a := <-waits; a.err != nil {
					t.Errorf("%+v", a)
				}
				if got := b.sofar(); !reflect.DeepEqual(got, tt.urcs) {
					t.Errorf("unsolicited %q", got)
				}
			})
		})
	}
}

func TestAMessageWithoutAnswerSaysWhetherTheModemHasIt(t *testing.T) {
	tests := map[string]struct {
		say   string
		given bool
		first string // what the modem gets next: the way out of an open prompt
	}{
		"no prompt came":               {"", false, "\x1b"},
		"the text was given":           {"\r\n> ", true, "0011AA\x1a\x1b"},
		"a second prompt: it was lost": {"\r\n> \r\n> ", true, "0011AA\x1a\x1b"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, at.Config{})
				sent := b.ask(t.Context(), message)
				b.expect("AT+CMGS=20")
				b.say(tt.say)
				a := <-sent
				if a.err == nil || errors.Is(a.err, at.ErrTextGiven) != tt.given {
					t.Errorf("%+v", a)
				}
				b.expect(tt.first)
				b.expect("AT+CMEE?")
				b.say("\r\n+CMEE: 1\r\n\r\nOK\r\n")
				next := b.ask(t.Context(), at.Command{Text: "AT"})
				b.expect("AT")
				b.say("\r\nOK\r\n")
				if a := <-next; a.err != nil {
					t.Errorf("the next command: %+v", a)
				}
			})
		})
	}
}

// A caller must not wait for the network's answer to a message, as far as the modem can be stopped.
func TestAnUrgentCommandGoesBeforeAMessageWhoseTextTheModemHasNot(t *testing.T) {
	tests := map[string]struct{ say, gets string }{
		"no prompt has come":               {"\r\nOK\r\n", "\x1bATA"},
		"the prompt crosses our way out":   {"\r\n> \r\nOK\r\n", "\x1bATA"},
		"the modem says how it was undone": {"\r\n+CMS ERROR: 500\r\n", "\x1bATA"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, at.Config{})
				sent := b.ask(t.Context(), message)
				b.expect("AT+CMGS=20")
				waits := b.ask(t.Context(), at.Command{Text: "AT+CSQ"})
				answer := b.ask(t.Context(), at.Command{Text: "ATA", Urgent: true, Progress: true})
				synctest.Wait()
				b.say(tt.say)
				if a := <-sent; !errors.Is(a.err, at.ErrAborted) || errors.Is(a.err, at.ErrTextGiven) {
					t.Errorf("the message: %+v", a)
				}
				b.expect(tt.gets) // and never the text
				b.say("\r\nOK\r\n")
				if a := <-answer; a.err != nil {
					t.Errorf("the call: %+v", a)
				}
				b.expect("AT+CSQ")
				b.say("\r\nOK\r\n")
				<-waits
			})
		})
	}
}

func TestAnUrgentCommandIsTheFirstAfterAMessageWhoseTextTheModemHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, at.Config{})
		sent := b.ask(t.Context(), message)
		b.expect("AT+CMGS=20")
		b.say("\r\n> ")
		synctest.Wait()
		waits := b.ask(t.Context(), at.Command{Text: "AT+CSQ"})
		answer := b.ask(t.Context(), at.Command{Text: "ATA", Urgent: true, Progress: true})
		synctest.Wait()
		b.say("\r\n+CMGS: 7\r\n\r\nOK\r\n")
		if a := <-sent; a.err != nil {
			t.Errorf("the message: %+v", a)
		}
		b.expect("0011AA\x1aATA")
		b.say("\r\nOK\r\n")
		<-answer
		b.expect("AT+CSQ")
		b.say("\r\nOK\r\n")
		<-waits
	})
}
