package appliance

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// watcher is a registered phone that can subscribe.
func (b *bench) watcher(user string) *peer.Peer {
	b.t.Helper()
	p, err := peer.New(peer.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: netip.MustParseAddrPort(b.sip), User: user, Password: "password-of-" + user, Law: tone.ALaw,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(p.Close)
	if _, err := p.Register(b.t.Context(), time.Hour); err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *bench) watch(p *peer.Peer, event, number string) *peer.Watch {
	b.t.Helper()
	w, err := p.Subscribe(b.t.Context(), event, number, time.Minute)
	if err != nil {
		b.t.Fatalf("%s of %s: %v", event, number, err)
	}
	return w
}

// told waits for the NOTIFY that holds a text and passes over those before.
func (b *bench) told(w *peer.Watch, text string) {
	b.t.Helper()
	var last peer.Note
	for timeout := time.After(patience); ; {
		select {
		case last = <-w.Notes:
			if strings.Contains(last.State+"\n"+last.Body, text) {
				return
			}
		case <-timeout:
			b.t.Fatalf("no NOTIFY says %q; the last one: %+v", text, last)
		}
	}
}

func TestWatchersFollowAChangeOfTheOffice(t *testing.T) {
	b := start(t, shop)
	anna := b.watcher("201")
	bruno, carla, mail := b.watch(anna, "presence", "202"), b.watch(anna, "dialog", "203"), b.watch(anna, "message-summary", "201")
	b.told(bruno, "<note>Telefono non raggiungibile</note>")
	b.told(carla, "active")
	b.told(mail, "active")
	b.watcher("202")
	b.told(bruno, "<basic>open</basic>") // who serves no queue can be called as soon as a phone is there

	said := b.apply(func(c *config.Config) {
		c.Agents[1].Extension = "212"
		c.Agents, c.Phones = append(c.Agents[:2:2], c.Agents[3:]...), append(c.Phones[:2:2], c.Phones[3:]...)
	})
	if said["numbers and phones"] != live.AfterDrain {
		t.Errorf("%v", said)
	}
	b.told(carla, "terminated;reason=noresource")
	b.told(bruno, "<basic>open</basic>") // the key names the phone, which is still Bruno's
	b.told(b.watch(anna, "dialog", "212"), `entity="sip:212@`)

	if said := b.apply(func(c *config.Config) { c.Presence.Messages = false }); said["numbers and phones"] != live.Applied {
		t.Errorf("%v", said)
	}
	if err := anna.Text(t.Context(), "202", "Pronto?"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a text where there are none any more: %v", err)
	}
	b.apply(func(c *config.Config) { c.Phones[0].Password = "another-password" })
	b.told(mail, "terminated;reason=deactivated")
}

func TestPhoneThatDoesNotAskHearsOfItsMessagesUnlessTurnedOff(t *testing.T) {
	b := start(t, shop)
	anna, bruno := b.phone("201"), b.phone("202")
	heard := func(p *testPhone) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.Contains(p.asked, "NOTIFY")
	}
	b.box.presence.SetMessages("201", 1, 0, 0, 0)
	b.eventually("Anna's phone lights its lamp", func() bool { return heard(anna) })
	if heard(bruno) {
		t.Error("Bruno hears of Anna's messages")
	}
	b.apply(func(c *config.Config) { c.Presence.UnsolicitedMWI = false })
	b.box.presence.SetMessages("202", 1, 0, 0, 0)
	told := b.watch(b.watcher("203"), "message-summary", "203") // behind it in the queue of the same owner
	b.told(told, "Messages-Waiting: no")
	if heard(bruno) {
		t.Error("Bruno's phone is told although that is turned off")
	}
}

func TestVoiceQualityReportIsWrittenDown(t *testing.T) {
	b := start(t, shop)
	anna := b.watcher("201")
	body := "VQSessionReport: CallTerm\r\nCallID: call-7\r\nLocalMetrics:\r\nPacketLoss: NLR=1.5\r\nQualityEst: MOSLQ=4.2 MOSCQ=127\r\n"
	if err := anna.Publish(t.Context(), "vq-rtcpxr", "application/vq-rtcpxr", body); err != nil {
		t.Fatal(err)
	}
	var got qualityRecord
	b.eventually("the report is in the history", func() bool {
		err := b.box.history.Read(0, func(r journal.Record) error {
			if r.Kind != (tel.QualityReported{}).Kind() {
				return nil
			}
			return json.Unmarshal(r.Body, &got)
		})
		return err == nil && got.V == 1
	})
	e := got.Event
	if e.Device != "201" || e.SIPCall != "call-7" || e.Stage != "session" || e.MOSLQ == nil || *e.MOSLQ != 4.2 || e.MOSCQ != nil || e.Loss == nil || *e.Loss != 1.5 || e.At.IsZero() {
		t.Errorf("%+v", e)
	}
	if c := classOf(e.Kind()); c != journal.Statistic {
		t.Errorf("its class is %v", c)
	}
}
