package gsm_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
)

// postRig is a modem with a letterbox.
func postRig(t *testing.T, edit func(*gsmsim.Config, *gsm.Config)) (*gsm.Modem, *farEnd, *linetest.Letterbox) {
	t.Helper()
	box := linetest.NewLetterbox()
	m, far := rig(t, func(s *gsmsim.Config, g *gsm.Config) {
		g.Inbox = box
		g.Timing.Network, g.Timing.Rest, g.Timing.Sweep = 2*time.Second, 300*time.Millisecond, time.Minute
		if edit != nil {
			edit(s, g)
		}
	})
	await(t, m, line.Status, inService)
	for !m.Ready() {
		time.Sleep(time.Millisecond) // it is told a moment before the messages are
	}
	go func() { // nobody looks at the events of these tests
		for range m.Events() {
		}
	}()
	return m, far, box
}

// came waits for n more parts and returns all.
func came(t *testing.T, m *gsm.Modem, box *linetest.Letterbox, n int) []line.ReceivedPart {
	t.Helper()
	all, ok := box.Await(m, n)
	if !ok {
		_ = m.Recorder().Dump(t.Output())
		t.Fatalf("a part did not come; there are %d", len(all))
	}
	return all
}

func TestModemKeepsTheContractOfMessages(t *testing.T) {
	linetest.RunMessages(t, func(t *testing.T) linetest.PostRig {
		box := linetest.NewLetterbox()
		m, far := rig(t, func(_ *gsmsim.Config, g *gsm.Config) {
			g.Inbox = box
			g.Timing.Network, g.Timing.Rest = 2*time.Second, 300*time.Millisecond
		})
		return linetest.PostRig{Rig: linetest.Rig{Line: m, Far: far}, Centre: far, Box: box}
	})
}

// The same contract must hold on a bad day of the same modem.
func TestModemKeepsTheContractOfMessagesWithEchoDoubledCRAndSplitBytes(t *testing.T) {
	linetest.RunMessages(t, func(t *testing.T) linetest.PostRig {
		box := linetest.NewLetterbox()
		m, far := rig(t, func(_ *gsmsim.Config, g *gsm.Config) {
			g.Inbox = box
			g.Timing.Network, g.Timing.Rest = 3*time.Second, 300*time.Millisecond
		})
		far.faults(gsmsim.Faults{EchoStuck: true, DoubledCR: true, Split: true})
		return linetest.PostRig{Rig: linetest.Rig{Line: m, Far: far}, Centre: far, Box: box}
	})
}

// emptied waits until nothing is stored and nothing waits.
func emptied(t *testing.T, far *farEnd) {
	t.Helper()
	for range 1000 {
		if in, out := far.Stored(); in == 0 && out == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond) // the modem's pace
	}
	in, out := far.Stored()
	t.Fatalf("%d messages are still stored, %d wait", in, out)
}

func TestWhatLayOnTheSIMBeforeTheStartIsFetched(t *testing.T) {
	box := linetest.NewLetterbox()
	m, far := rig(t, func(s *gsmsim.Config, g *gsm.Config) {
		g.Inbox, s.Boot = box, 300*time.Millisecond
	})
	for i := range 5 {
		if err := far.Deliver("3331234567", fmt.Sprint("old ", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range came(t, m, box, 5) {
		if linetest.Words(p) != fmt.Sprint("old ", i) {
			t.Errorf("part %d is %q", i, linetest.Words(p))
		}
	}
	emptied(t, far)
}

func TestALostNotificationIsMadeUpForByTheNextSweep(t *testing.T) {
	m, far, box := postRig(t, func(_ *gsmsim.Config, g *gsm.Config) { g.Timing.Sweep = 500 * time.Millisecond })
	far.faults(gsmsim.Faults{LosePrefix: "+CMTI"})
	if err := far.Deliver("3331234567", "unannounced"); err != nil {
		t.Fatal(err)
	}
	if got := came(t, m, box, 1)[0]; linetest.Words(got) != "unannounced" {
		t.Errorf("received %q", linetest.Words(got))
	}
}

func TestMoreMessagesThanTheSIMHoldsArriveAll(t *testing.T) {
	const n = 300
	m, far, box := postRig(t, nil)
	if err := far.Flood(n); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range came(t, m, box, n) {
		seen[linetest.Words(p)] = true
	}
	if len(seen) != n {
		t.Errorf("%d different messages of %d", len(seen), n)
	}
	emptied(t, far)
}

func TestAFullStorageIsToldAndEmptiedWhenMessagesAreSafeAgain(t *testing.T) {
	m, far, box := postRig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Places = 5 })
	box.Hold(func(line.ReceivedPart) error { return errors.New("disk full") })
	if err := far.Flood(9); err != nil {
		t.Fatal(err)
	}
	limit := time.Now().Add(15 * time.Second)
	for {
		if used, total := box.Fullest(); used == 5 && total == 5 {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("nobody is told that the storage is full")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, waiting := far.Stored(); waiting != 4 {
		t.Errorf("%d messages wait outside", waiting)
	}
	box.Hold(nil)
	came(t, m, box, 9)
	emptied(t, far)
}

func TestAHalfReadPDUIsReadAgain(t *testing.T) {
	m, far, box := postRig(t, nil)
	far.faults(gsmsim.Faults{HalfPDU: 1})
	if err := far.Deliver("3331234567", "whole at the second look"); err != nil {
		t.Fatal(err)
	}
	if got := came(t, m, box, 1)[0]; linetest.Words(got) != "whole at the second look" {
		t.Errorf("received %+v", got)
	}
	emptied(t, far)
}

func TestAPDUThatStaysBrokenIsKeptAsItIs(t *testing.T) {
	m, far, box := postRig(t, nil)
	for _, raw := range []string{"0791932350585800040B91", "FF", "00440B919333214365F7000462701172000080080605040B8423F0AA"} {
		if err := far.DeliverRaw(raw, 150); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range came(t, m, box, 3) {
		if p.Kind != line.UnreadablePart || p.Raw == "" || p.Why == "" {
			t.Errorf("kept %+v", p)
		}
	}
	if err := far.Deliver("3331234567", "after them"); err != nil {
		t.Fatal(err)
	}
	if got := came(t, m, box, 1)[3]; linetest.Words(got) != "after them" {
		t.Errorf("received %+v", got)
	}
	emptied(t, far)
}

func TestAMessageThatCannotBeDeletedIsOfferedAgainAndBlocksNothing(t *testing.T) {
	m, far, box := postRig(t, nil)
	far.faults(gsmsim.Faults{Undeletable: true})
	if err := far.Deliver("3331234567", "sticky"); err != nil {
		t.Fatal(err)
	}
	came(t, m, box, 1)
	if _, err := m.SendPart(t.Context(), line.OutgoingMessage{To: "3331234567", Text: "out"}, 0); err != nil {
		t.Error(err)
	}
	if err := far.Deliver("3331234567", "next"); err != nil {
		t.Fatal(err)
	}
	for !slices.ContainsFunc(box.All(), func(p line.ReceivedPart) bool { return linetest.Words(p) == "next" }) {
		came(t, m, box, 1)
	}
}

func TestACallGoesBeforeOurMessagesAndNotBeforeReceivedOnes(t *testing.T) {
	box := linetest.NewLetterbox()
	m, far := rig(t, func(_ *gsmsim.Config, g *gsm.Config) { g.Inbox = box })
	connect(t, m, far)
	if err := far.Deliver("3331234567", "in a call"); err != nil {
		t.Fatal(err)
	}
	came(t, m, box, 1)
	msg := line.OutgoingMessage{To: "3331234567", Text: "after the call"}
	if _, err := m.SendPart(t.Context(), msg, 0); !errors.Is(err, line.ErrBusy) || m.Ready() {
		t.Errorf("in a call: %v, ready %v", err, m.Ready())
	}
	if err := far.Hangup(); err != nil {
		t.Fatal(err)
	}
	await(t, m, line.Ended, nil)
	for !m.Ready() {
		time.Sleep(10 * time.Millisecond) // the last words of the call
	}
	if ref, err := m.SendPart(t.Context(), msg, 0); err != nil || ref != 1 {
		t.Errorf("after the call: part %d, %v", ref, err)
	}
}

func TestALongMessageIsSentInPartsThatTheCentreJoins(t *testing.T) {
	m, far, _ := postRig(t, nil)
	for _, text := range []string{
		"Ciao", strings.Repeat("Il suo ordine è pronto {€} ", 12), "Grüße 😀 " + strings.Repeat("привет, 世界 ", 20),
	} {
		msg := line.OutgoingMessage{To: "+393331234567", Text: text, Join: 7}
		n, err := m.Parts(msg)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if _, err := m.SendPart(t.Context(), msg, i); err != nil {
				t.Fatal(err)
			}
		}
		all := far.SentMessages()
		if got := all[len(all)-1]; got.Text != text || got.To != "+393331234567" || got.Parts != n || got.Report {
			t.Errorf("the centre has %+v of %q", got, text)
		}
	}
}

func TestADeliveryReportNamesThePartThatWasSent(t *testing.T) {
	for name, push := range map[string]bool{"stored": false, "pushed": true} {
		for status, want := range map[byte]line.DeliveryStatus{0: line.Delivered, 0x21: line.StillTrying, 0x41: line.Undeliverable} {
			t.Run(fmt.Sprintf("%s, status %#x", name, status), func(t *testing.T) {
				m, far, box := postRig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.PushReports = push })
				far.faults(gsmsim.Faults{ReportStatus: status})
				ref, err := m.SendPart(t.Context(), line.OutgoingMessage{To: "+393331234567", Text: "x", Report: true}, 0)
				if err != nil {
					t.Fatal(err)
				}
				got := came(t, m, box, 1)[0]
				if got.Kind != line.DeliveryReport || int(got.Reference) != ref || got.Delivery != want || got.From != "+393331234567" {
					t.Errorf("report %+v of part %d", got, ref)
				}
			})
		}
	}
}

func TestAPromptThatIsNotSeenSendsNothing(t *testing.T) {
	m, far, _ := postRig(t, nil)
	far.faults(gsmsim.Faults{LosePrompt: true})
	msg := line.OutgoingMessage{To: "3331234567", Text: "one"}
	if _, err := m.SendPart(t.Context(), msg, 0); !errors.Is(err, line.ErrTimeout) {
		t.Errorf("first try: %v", err)
	}
	far.faults(gsmsim.Faults{})
	if _, err := m.SendPart(t.Context(), msg, 0); err != nil {
		t.Errorf("second try: %v", err)
	}
	if all := far.Texts(); len(all) != 1 || all[0] != "3331234567 one" {
		t.Errorf("the centre has %q", all)
	}
}

func TestAMessageIsSentOnlyByALineInService(t *testing.T) {
	m, far, _ := postRig(t, nil)
	if err := far.Unplug(); err != nil {
		t.Fatal(err)
	}
	for m.Health().Losses == 0 {
		time.Sleep(10 * time.Millisecond) // until the driver has seen it
	}
	if _, err := m.SendPart(t.Context(), line.OutgoingMessage{To: "333", Text: "x"}, 0); !errors.Is(err, line.ErrDown) {
		t.Errorf("sent without a modem: %v", err)
	}
}

// Whatever a stuck prompt makes of our commands, no command of ours reaches anybody as a message, and the
// next message passes.
func TestAStuckPromptIsLeftAndTheNextMessagePasses(t *testing.T) {
	m, far, _ := postRig(t, nil)
	far.faults(gsmsim.Faults{StuckPrompt: true})
	msg := line.OutgoingMessage{To: "3331234567", Text: "one"}
	for try := 0; ; try++ {
		if _, err := m.SendPart(t.Context(), msg, 0); err == nil {
			break
		} else if try == 3 {
			t.Fatal(err)
		}
	}
	for _, s := range far.SentMessages() {
		if s.Text != "one" {
			t.Errorf("the centre has %q", s.Text)
		}
	}
}
