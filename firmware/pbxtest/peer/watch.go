package peer

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Watch is a subscription of the phone at the box.
type Watch struct {
	// Notes are the NOTIFY in the order of their arrival; each has been answered with 200.
	Notes chan Note

	p             *Peer
	event, to     string
	id, tag       string
	toTag, target string
	cseq          int
}

// Note is what one NOTIFY says.
type Note struct {
	CSeq  uint32
	State string // value of Subscription-State
	Type  string // of the body
	Body  string
}

// Subscribe watches event, such as "dialog", of a number at the box.
func (p *Peer) Subscribe(ctx context.Context, event, number string, expires time.Duration) (*Watch, error) {
	w := &Watch{Notes: make(chan Note, 256), p: p, event: event, to: number, id: rand.Text(), tag: rand.Text()}
	p.mu.Lock()
	p.watches[w.id] = w
	p.mu.Unlock()
	return w, w.Refresh(ctx, expires)
}

// Refresh asks for more time; 0 ends the subscription.
func (w *Watch) Refresh(ctx context.Context, expires time.Duration) error {
	to := fmt.Sprintf("<sip:%s@%s>", w.to, w.p.cfg.Box)
	if w.toTag != "" {
		to += ";tag=" + w.toTag
	}
	uri := cmp.Or(w.target, fmt.Sprintf("sip:%s@%s", w.to, w.p.cfg.Box))
	headers := fmt.Sprintf("Contact: %s\r\nEvent: %s\r\nExpires: %d\r\n", w.p.contact(), w.event, int(expires.Seconds()))
	res, err := w.p.ask(ctx, "SUBSCRIBE", uri, to, w.id, w.tag, &w.cseq, headers, "")
	return w.taken(res, err)
}

// Click asks the box for a call from the phones of to, an own name of the peer or not, to a number: a REFER
// outside of any call (RFC 5359 section 2.18), with further header lines. What the box tells of it comes
// on Notes.
func (p *Peer) Click(ctx context.Context, to, number, headers string) (*Watch, error) {
	w := &Watch{Notes: make(chan Note, 256), p: p, event: "refer", to: to, id: rand.Text(), tag: rand.Text()}
	p.mu.Lock()
	p.watches[w.id] = w
	p.mu.Unlock()
	uri := fmt.Sprintf("sip:%s@%s", to, p.cfg.Box)
	headers += fmt.Sprintf("Contact: %s\r\nRefer-To: <sip:%s@%s>\r\n", p.contact(), number, p.cfg.Box)
	res, err := p.ask(ctx, "REFER", uri, "<"+uri+">", w.id, w.tag, &w.cseq, headers, "")
	return w, w.taken(res, err)
}

// taken is a 2xx: it makes the dialog.
func (w *Watch) taken(res *sip.Response, err error) error {
	if err != nil {
		return err
	}
	w.toTag, _ = res.To().Params.Get("tag")
	if c := res.Contact(); c != nil {
		w.target = c.Address.String()
	}
	return nil
}

// Text sends a text message to a number at the box.
func (p *Peer) Text(ctx context.Context, number, text string) error {
	cseq := 0
	uri := fmt.Sprintf("sip:%s@%s", number, p.cfg.Box)
	_, err := p.ask(ctx, "MESSAGE", uri, "<"+uri+">", rand.Text(), rand.Text(), &cseq, "Content-Type: text/plain\r\n", text)
	return err
}

// Publish sends a document of an event package to the box.
func (p *Peer) Publish(ctx context.Context, event, mediaType, body string) error {
	cseq := 0
	uri := fmt.Sprintf("sip:%s@%s", p.cfg.User, p.cfg.Box)
	_, err := p.ask(ctx, "PUBLISH", uri, "<"+uri+">", rand.Text(), rand.Text(), &cseq, "Event: "+event+"\r\nContent-Type: "+mediaType+"\r\n", body)
	return err
}

// ask sends a request, once more with the password where the box asks for it, and returns the 2xx.
func (p *Peer) ask(ctx context.Context, method, uri, to, id, tag string, cseq *int, headers, body string) (*sip.Response, error) {
	for auth := ""; ; {
		*cseq++
		b := branch()
		text := fmt.Sprintf("%[1]s %[2]s SIP/2.0\r\n%[3]sFrom: <sip:%[4]s@%[5]s>;tag=%[6]s\r\nTo: %[7]s\r\nCall-ID: %[8]s\r\nCSeq: %[9]d %[1]s\r\nUser-Agent: peer\r\n%[10]s%[11]sContent-Length: %[12]d\r\n\r\n%[13]s",
			method, uri, p.via(b), p.cfg.User, p.cfg.Box, tag, to, id, *cseq, headers, auth, len(body), body)
		res, err := p.exchange(ctx, method, b, text, p.cfg.Box)
		switch {
		case err != nil:
			return nil, err
		case res.StatusCode < 300:
			return res, nil
		case res.StatusCode != 401 || auth != "":
			return nil, fmt.Errorf("%s: %d %s: %w", strings.ToLower(method), res.StatusCode, res.Reason, ErrStatus)
		}
		value := credentials(values(res, "WWW-Authenticate"), p.cfg.Algorithm, p.cfg.User, p.cfg.Password, method, uri)
		if value == "" {
			return nil, fmt.Errorf("%s: no challenge that I can answer: %w", strings.ToLower(method), ErrStatus)
		}
		auth = "Authorization: " + value + "\r\n"
	}
}

// notified passes a NOTIFY to its watch or its call, if there is one.
func (p *Peer) notified(req *sip.Request) {
	p.mu.Lock()
	var to chan Note
	if w := p.watches[string(*req.CallID())]; w != nil {
		to = w.Notes
	} else if c := p.calls[string(*req.CallID())]; c != nil {
		to = c.notes
	}
	p.mu.Unlock()
	n := Note{CSeq: req.CSeq().SeqNo, Body: string(req.Body())}
	if h := req.GetHeader("Subscription-State"); h != nil {
		n.State = h.Value()
	}
	if h := req.ContentType(); h != nil {
		n.Type = h.Value()
	}
	select {
	case to <- n:
	default: // nobody looks: the test is at its end
	}
}
