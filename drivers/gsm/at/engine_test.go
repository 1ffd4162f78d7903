package at_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is an engine and the modem's end of its port.
type bench struct {
	t      *testing.T
	engine *at.Engine
	modem  net.Conn
	heard  chan string // commands as the modem got them, without CR
}

func start(t *testing.T, cfg at.Config) *bench {
	ours, theirs := net.Pipe()
	b := &bench{t: t, engine: at.Start(ours, cfg), modem: theirs, heard: make(chan string, 64)}
	go func() {
		defer close(b.heard)
		r := bufio.NewReader(theirs)
		for {
			cmd, err := r.ReadString('\r')
			if err != nil {
				return
			}
			b.heard <- strings.TrimSuffix(cmd, "\r")
		}
	}()
	t.Cleanup(func() {
		_ = b.engine.Close()
		_ = theirs.Close()
		for range b.heard { // waits for the modem's goroutine
		}
	})
	return b
}

func (b *bench) say(text string) {
	b.t.Helper()
	if _, err := io.WriteString(b.modem, text); err != nil {
		b.t.Fatal(err)
	}
}

// expect waits for a command.
func (b *bench) expect(want string) {
	b.t.Helper()
	if got := <-b.heard; got != want {
		b.t.Fatalf("modem got %q, want %q", got, want)
	}
}

type answer struct {
	reply at.Reply
	err   error
}

func (b *bench) ask(ctx context.Context, c at.Command) <-chan answer {
	ch := make(chan answer, 1)
	if err := b.engine.Submit(ctx, c, func(r at.Reply, err error) { ch <- answer{r, err} }); err != nil {
		b.t.Fatal(err)
	}
	return ch
}

// sofar returns the unsolicited lines that have come.
func (b *bench) sofar() []string {
	synctest.Wait()
	var got []string
	for {
		select {
		case l, ok := <-b.engine.Lines():
			if !ok {
				return got
			}
			got = append(got, l)
		default:
			return got
		}
	}
}

func TestAnswersReachTheCommandThatAsked(t *testing.T) {
	tests := map[string]struct {
		cmd   at.Command
		say   string
		lines []string
		code  at.Code
		urcs  []string
	}{
		"plain OK":                            {at.Command{Text: "AT"}, "\r\nOK\r\n", nil, at.OK, nil},
		"information lines by prefix":         {at.Command{Text: "AT+CLCC", Prefix: "+CLCC:"}, "\r\n+CLCC: 1\r\n\r\n+CLCC: 2\r\n\r\nOK\r\n", []string{"+CLCC: 1", "+CLCC: 2"}, at.OK, nil},
		"lines without prefix":                {at.Command{Text: "AT+CGMM", Plain: true}, "\r\nSIMCOM_SIM7600E\r\n\r\nOK\r\n", []string{"SIMCOM_SIM7600E"}, at.OK, nil},
		"URC between echo and reply":          {at.Command{Text: "AT+CSQ", Prefix: "+CSQ:"}, "AT+CSQ\r\r\nRING\r\n\r\n+CSQ: 9,99\r\n\r\nOK\r\n", []string{"+CSQ: 9,99"}, at.OK, []string{"RING"}},
		"URC inside a plain answer":           {at.Command{Text: "AT+CGMM", Plain: true}, "\r\nSIM7600\r\nRING\r\n\r\nOK\r\n", []string{"SIM7600"}, at.OK, []string{"RING"}},
		"doubled CR and no empty lines":       {at.Command{Text: "AT+CSQ", Prefix: "+CSQ:"}, "\r\r\n+CSQ: 9,99\r\r\nOK\r\r\n", []string{"+CSQ: 9,99"}, at.OK, nil},
		"NO CARRIER is not the final of CSQ":  {at.Command{Text: "AT+CSQ", Prefix: "+CSQ:"}, "\r\nNO CARRIER\r\n\r\n+CSQ: 9,99\r\n\r\nOK\r\n", []string{"+CSQ: 9,99"}, at.OK, []string{"NO CARRIER"}},
		"BUSY is the final of ATD":            {at.Command{Text: "ATD1;", Progress: true}, "\r\nBUSY\r\n", nil, at.Busy, nil},
		"a vendor's words for ERROR":          {at.Command{Text: "AT^X"}, "\r\nCOMMAND NOT SUPPORT\r\n", nil, at.Error, nil},
		"an error with a number":              {at.Command{Text: "AT+CPIN?", Prefix: "+CPIN:"}, "\r\n+CME ERROR: 10\r\n", nil, at.CMEError, nil},
		"a final without command is dropped":  {at.Command{Text: "AT"}, "\r\nOK\r\n\r\nOK\r\n\r\nERROR\r\n", nil, at.OK, nil},
		"late information lines are nobody's": {at.Command{Text: "AT"}, "\r\n+CSQ: 1,1\r\n\r\nOK\r\n", nil, at.OK, []string{"+CSQ: 1,1"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, at.Config{Unsolicited: func(l string) bool { return l == "RING" }})
				ch := b.ask(t.Context(), tt.cmd)
				b.expect(tt.cmd.Text)
				b.say(tt.say)
				a := <-ch
				if a.err != nil || a.reply.Final.Code != tt.code || !reflect.DeepEqual(a.reply.Lines, tt.lines) {
					t.Errorf("answer %+v", a)
				}
				if got := b.sofar(); !reflect.DeepEqual(got, tt.urcs) {
					t.Errorf("unsolicited %q, want %q", got, tt.urcs)
				}
			})
		})
	}
}

// The commonest fault of such drivers: after a timeout the late OK answers the next command.
func TestLateAnswerIsNeverCreditedToTheNextCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, at.Config{})
		slow := b.ask(t.Context(), at.Command{Text: "AT+COPS?", Prefix: "+COPS:", Timeout: time.Second})
		next := b.ask(t.Context(), at.Command{Text: "AT+CSQ", Prefix: "+CSQ:"})
		b.expect("AT+COPS?")
		if a := <-slow; !errors.Is(a.err, at.ErrTimeout) {
			t.Fatalf("slow command: %+v", a)
		}
		b.expect("AT+CMEE?")
		b.say("\r\n+COPS: 0,0,\"TIM\"\r\n\r\nOK\r\n") // late
		synctest.Wait()
		select {
		case cmd := <-b.heard:
			t.Fatalf("%q was sent on the strength of a late OK", cmd)
		default:
		}
		b.say("\r\n+CMEE: 1\r\n\r\nOK\r\n")
		b.expect("AT+CSQ")
		b.say("\r\n+CSQ: 7,99\r\n\r\nOK\r\n")
		if a := <-next; a.err != nil || !reflect.DeepEqual(a.reply.Lines, []string{"+CSQ: 7,99"}) {
			t.Errorf("next command: %+v", a)
		}
		if s := b.engine.Stats(); s.Timeouts != 1 || s.Resyncs != 1 || s.Strays != 2 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestAnswerToAnEarlierProbeDoesNotEndTheResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, at.Config{})
		slow := b.ask(t.Context(), at.Command{Text: "AT+X", Timeout: time.Second})
		next := b.ask(t.Context(), at.Command{Text: "AT+Y"})
		b.expect("AT+X")
		<-slow
		b.expect("AT+CMEE?")
		b.expect("\x1b") // the first probe went unanswered: an unseen prompt may be open
		b.expect("AT+CRC?")
		b.say("\r\nOK\r\n\r\n+CMEE: 1\r\n\r\nOK\r\n") // late X, late first probe
		synctest.Wait()
		b.say("\r\n+CRC: 0\r\n\r\nOK\r\n")
		b.expect("AT+Y")
		b.say("\r\nERROR\r\n")
		if a := <-next; a.err != nil || a.reply.Final.Code != at.Error {
			t.Errorf("%+v", a)
		}
	})
}

func TestEndOfCallIsHeardDuringAResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, at.Config{Unsolicited: func(l string) bool { return strings.HasPrefix(l, "VOICE CALL") }})
		slow := b.ask(t.Context(), at.Command{Text: "AT+X", Timeout: time.Second})
		b.expect("AT+X")
		<-slow
		b.expect("AT+CMEE?")
		b.say("\r\nVOICE CALL: END: 000017\r\n\r\nNO CARRIER\r\n\r\n+CMEE: 1\r\n\r\nOK\r\n")
		if got := b.sofar(); !reflect.DeepEqual(got, []string{"VOICE CALL: END: 000017", "NO CARRIER"}) {
			t.Errorf("unsolicited %q", got)
		}
	})
}

func TestStuckPromptIsEscaped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, at.Config{})
		swallowed := b.ask(t.Context(), at.Command{Text: "AT+CSQ"})
		b.expect("AT+CSQ")
		b.say("\r\n> ")
		if a := <-swallowed; !errors.Is(a.err, at.ErrPrompt) {
			t.Fatalf("%+v", a)
		}
		b.expect("\x1b")
		b.expect("AT+CMEE?")
		b.say("\r\nOK\r\n\r\n+CMEE: 1\r\n\r\nOK\r\n")
		next := b.ask(t.Context(), at.Command{Text: "AT"})
		b.expect("AT")
		b.say("\r\nOK\r\n")
		if a := <-next; a.err != nil {
			t.Errorf("%+v", a)
		}
	})
}

func TestMuteModemEndsTheEngineInBoundedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, at.Config{})
		begin := time.Now()
		first := b.ask(t.Context(), at.Command{Text: "AT", Timeout: time.Second})
		second := b.ask(t.Context(), at.Command{Text: "AT"})
		if a := <-first; !errors.Is(a.err, at.ErrTimeout) {
			t.Errorf("%+v", a)
		}
		if a := <-second; !errors.Is(a.err, at.ErrStopped) {
			t.Errorf("%+v", a)
		}
		<-b.engine.Done()
		if !errors.Is(b.engine.Err(), at.ErrMute) || time.Since(begin) != 4*time.Second {
			t.Errorf("%v after %v", b.engine.Err(), time.Since(begin))
		}
		if err := b.engine.Submit(t.Context(), at.Command{Text: "AT"}, nil); !errors.Is(err, at.ErrStopped) {
			t.Errorf("submit after the end: %v", err)
		}
	})
}

func TestUnsolicitedLinesThatNobodyTakesAreAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, at.Config{Backlog: 4})
		for i := range 5 {
			b.say(fmt.Sprintf("\r\nX%d\r\n", i))
		}
		<-b.engine.Done()
		if !errors.Is(b.engine.Err(), at.ErrOverflow) {
			t.Errorf("%v", b.engine.Err())
		}
		if got := b.sofar(); !reflect.DeepEqual(got, []string{"X0", "X1", "X2", "X3"}) {
			t.Errorf("kept %q", got)
		}
	})
}

func TestCancelledCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, at.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		written := b.ask(ctx, at.Command{Text: "AT+A"})
		waiting := b.ask(ctx, at.Command{Text: "AT+B"})
		last := b.ask(t.Context(), at.Command{Text: "AT+C"})
		b.expect("AT+A")
		cancel()
		b.say("\r\nERROR\r\n")
		if a := <-written; a.err != nil || a.reply.Final.Code != at.Error {
			t.Errorf("the written command lost its answer: %+v", a)
		}
		b.expect("AT+C") // B was never written
		b.say("\r\nOK\r\n")
		if a := <-waiting; !errors.Is(a.err, context.Canceled) {
			t.Errorf("the waiting command: %+v", a)
		}
		if a := <-last; a.reply.Final.Code != at.OK {
			t.Errorf("the last command: %+v", a)
		}
	})
}

func TestUrgentCommandAbortsAPendingDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, at.Config{})
		dial := b.ask(t.Context(), at.Command{Text: "ATD112;", Progress: true, Timeout: 40 * time.Second})
		waits := b.ask(t.Context(), at.Command{Text: "AT+CSQ"})
		b.expect("ATD112;")
		hangup := b.ask(t.Context(), at.Command{Text: "AT+CHUP", Urgent: true})
		b.expect("")
		b.say("\r\nNO CARRIER\r\n")
		if a := <-dial; a.reply.Final.Code != at.NoCarrier {
			t.Errorf("dial: %+v", a)
		}
		b.expect("AT+CHUP")
		b.say("\r\nOK\r\n")
		<-hangup
		b.expect("AT+CSQ")
		b.say("\r\nOK\r\n")
		<-waits
	})
}

func TestUnplugFailsWhatIsPendingAfterWhatWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, at.Config{})
		pending := b.ask(t.Context(), at.Command{Text: "AT"})
		b.expect("AT")
		b.say("\r\nRING\r\n")
		_ = b.modem.Close()
		if a := <-pending; !errors.Is(a.err, at.ErrStopped) {
			t.Errorf("%+v", a)
		}
		<-b.engine.Done()
		if !errors.Is(b.engine.Err(), io.EOF) {
			t.Errorf("ended with %v", b.engine.Err())
		}
		if got := b.sofar(); !reflect.DeepEqual(got, []string{"RING"}) {
			t.Errorf("unsolicited %q", got)
		}
	})
}

// panicking is a port whose driver has a fault, as select(2) beyond FD_SETSIZE is.
type panicking struct{ net.Conn }

func (panicking) Read([]byte) (int, error) { panic("index out of range [16]") }

func TestPanicOfThePortEndsTheEngineAndNotTheProcess(t *testing.T) {
	ours, theirs := net.Pipe()
	defer func() { _ = theirs.Close() }()
	e := at.Start(panicking{ours}, at.Config{})
	<-e.Done()
	if e.Err() == nil || !strings.Contains(e.Err().Error(), "index out of range") {
		t.Errorf("ended with %v", e.Err())
	}
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, at.Config{Queue: 2})
		errs := make(chan error, 16)
		for range 10 {
			if err := b.engine.Submit(t.Context(), at.Command{Text: "AT"}, func(_ at.Reply, err error) { errs <- err }); err != nil {
				errs <- err
			}
		}
		synctest.Wait()
		full := 0
		for len(errs) > 0 {
			if errors.Is(<-errs, at.ErrQueueFull) {
				full++
			}
		}
		if full < 5 || full > 8 {
			t.Errorf("%d of 10 refused", full)
		}
	})
}

func TestSecretsStayOutOfTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := at.NewRecorder()
		b := start(t, at.Config{Recorder: rec})
		ch := b.ask(t.Context(), at.Command{Text: `AT+CPIN="1234"`, Secret: true})
		b.expect(`AT+CPIN="1234"`)
		b.say("\r\nOK\r\n")
		<-ch
		var out strings.Builder
		if err := rec.Dump(&out); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "1234") || !strings.Contains(out.String(), "OK") {
			t.Errorf("record: %s", out.String())
		}
	})
}
