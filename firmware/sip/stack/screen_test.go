package stack

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

func TestAScreenedStrangerIsAnsweredOnceAndNothingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		b := newBench(t, Config{}, rec)
		asked := 0
		b.stack.Screen(func(req *sip.Request, _ Flow) *Refusal {
			asked++
			if strings.Contains(req.From().Address.User, "friend") {
				return nil
			}
			if strings.Contains(req.From().Address.User, "mute") {
				return &Refusal{}
			}
			return &Refusal{Status: 401, Reason: "Unauthorized", Headers: []sip.Header{sip.NewHeader("WWW-Authenticate", "Digest x")}}
		})
		from := func(user, text string) string { return strings.Replace(text, "From: <sip:", "From: <sip:"+user, 1) }
		b.hear(from("stranger", requestText("INVITE", "a")))
		refusal := b.one().msg.(*sip.Response)
		if refusal.StatusCode != 401 || refusal.GetHeader("WWW-Authenticate") == nil || !refusal.To().Params.Has("tag") {
			t.Errorf("%s", refusal)
		}
		b.hear(strings.Replace(from("stranger", requestText("ACK", "a")), "To: <sip:100@127.0.0.1>", "To: "+refusal.To().Value(), 1))
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if out := b.took(); len(out) != 0 || len(rec.txs) != 0 || len(rec.acks) != 0 || b.stack.Stats().Transactions != 0 {
			t.Errorf("repeated %s, or kept: %d transactions, %d ACKs", firstLines(out), len(rec.txs), len(rec.acks))
		}
		b.hear(from("mute", requestText("REGISTER", "b")))
		if out := b.took(); len(out) != 0 || len(rec.txs) != 0 {
			t.Errorf("sent %s", firstLines(out))
		}
		b.hear(from("friend", requestText("OPTIONS", "c")))
		if len(rec.txs) != 1 {
			t.Error("a friend is refused")
		}
		b.hear(strings.Replace(from("stranger", requestText("BYE", "d")), "To: <sip:100@127.0.0.1>", "To: <sip:100@127.0.0.1>;tag=x", 1))
		if len(rec.txs) != 2 || asked != 3 || b.stack.Stats().Screened != 2 {
			t.Errorf("%d went on, %d asked, %d screened: requests inside of dialogs are not asked about", len(rec.txs), asked, b.stack.Stats().Screened)
		}
	})
}
