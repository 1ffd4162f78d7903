package appliance

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
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
	for timeout := time.After(5 * time.Second); ; {
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
