package siptest_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/sip/siptest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answering is a stack's handler that answers 200.
type answering struct{ t *testing.T }

func (a answering) Request(tx *stack.ServerTx) {
	if err := tx.Respond(sip.NewResponseFromRequest(tx.Request(), 200, "OK", nil)); err != nil {
		a.t.Error(err)
	}
}
func (answering) Ack(*sip.Request, stack.Flow)            {}
func (answering) StrayResponse(*sip.Response, stack.Flow) {}

func TestAPeerSpeaksWithAStackInBothDirections(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			s, err := stack.New(stack.Config{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			listen := s.ListenUDP
			if transport == "tcp" {
				listen = s.ListenTCP
			}
			if err := listen(netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
				t.Fatal(err)
			}
			s.Serve(answering{t})
			box := s.Addresses(transport)[0]
			p := siptest.New(t, transport, "127.0.0.2")

			ask := p.NewRequest(sip.OPTIONS, "200", sip.Uri{Scheme: "sip", Host: "127.0.0.1", Port: int(box.Port())})
			p.Send(box, ask)
			if res := p.NextResponse(0); res.StatusCode != 200 || res.CallID().Value() != ask.CallID().Value() {
				t.Errorf("heard\n%s", res)
			}

			to, err := s.Resolve(t.Context(), p.URI("200"), "")
			if err != nil || to.Transport != transport || to.Remote != p.Addr() {
				t.Fatalf("resolved %+v, %v", to, err)
			}
			heard := make(chan int, 2)
			invite := p.NewRequest(sip.INVITE, "100", p.URI("200")) // Via and Max-Forwards are the stack's to set
			if _, err := s.Request(invite, to, func(r stack.Result) {
				if r.Err != nil {
					t.Error(r.Err)
				} else {
					heard <- r.Response.StatusCode
				}
			}); err != nil {
				t.Fatal(err)
			}
			req := p.NextRequest(sip.INVITE)
			p.Answer(req, 180, "Ringing", "t", nil)
			p.Answer(req, 486, "Busy Here", "t", nil)
			if a, b := <-heard, <-heard; a != 180 || b != 486 {
				t.Errorf("the stack heard %d, %d", a, b)
			}
			p.NextRequest(sip.ACK)
			if msg := p.Hear(20 * time.Millisecond); msg != nil {
				t.Errorf("something more came:\n%s", msg)
			}
		})
	}
}
