package appliance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/trace"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// traced has the stack show its messages to what remembers those of the last calls.
func (b *Box) traced(c stack.Config) stack.Config {
	b.trace = trace.New(trace.Limits{})
	c.Trace = func(out bool, f stack.Flow, text []byte) {
		b.trace.Add(trace.Message{At: time.Now(), Out: out, Transport: f.Transport, Local: f.Local, Remote: f.Remote, Text: text})
	}
	return c
}

// traceParty notes of which call a SIP dialog is a leg.
func (b *Box) traceParty(e tel.PartyChanged) {
	if b.trace == nil || e.Phase == tel.PartyGone {
		return
	}
	if id, _, _ := b.office.Dialog(e.Ref); id != "" {
		b.trace.Bind(id, e.Call)
	}
}

// ladder is the SIP messages of a call, for the page.
func (b *Box) ladder(call tel.CallID) (all []page.Rung) {
	for _, r := range trace.Ladder(b.trace.Find(string(call))) {
		all = append(all, page.Rung{At: r.At.In(b.location()), Out: r.Out, Peer: r.Peer, What: r.What, SDP: r.SDP, Text: r.Text})
	}
	return all
}

// capture writes the SIP messages of a call as a pcapng file.
func (b *Box) capture(w io.Writer, call tel.CallID) error {
	return trace.WritePcapng(w, b.trace.Find(string(call)), nil, nil)
}

// traceCommands are what prontoctl can ask about SIP messages: GET /traces/NAME is the ladder of a call, by the box's
// name for it or by a SIP Call-ID; GET /captures/NAME the same as a pcapng file, GET /captures/NAME/rtp one that holds
// its RTP too, where the owner has permitted that.
func (b *Box) traceCommands(mux *http.ServeMux) {
	found := func(w http.ResponseWriter, r *http.Request) []trace.Dialog {
		all := b.trace.Find(r.PathValue("name"))
		if len(all) == 0 {
			http.Error(w, fmt.Sprintf("no SIP message of %q is remembered", r.PathValue("name")), http.StatusNotFound)
		}
		return all
	}
	mux.HandleFunc("GET /traces/{name}", func(w http.ResponseWriter, r *http.Request) {
		if all := found(w, r); len(all) > 0 {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(trace.Ladder(all)) // who hung up needs no answer
		}
	})
	mux.HandleFunc("GET /captures/{name}", func(w http.ResponseWriter, r *http.Request) {
		if all := found(w, r); len(all) > 0 {
			w.Header().Set("Content-Type", "application/x-pcapng")
			_ = trace.WritePcapng(w, all, nil, nil) // nor it
		}
	})
	mux.HandleFunc("GET /captures/{name}/rtp", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-pcapng")
		name := r.PathValue("name")
		if written, _ := b.captureRTP(w, b.trace.Call(name), settings.By{User: console}); !written { // who hung up needs no answer
			http.Error(w, fmt.Sprintf("no RTP of %q is kept: the owner permits it on the page, under Traces with sound", name), http.StatusNotFound)
		}
	})
}
