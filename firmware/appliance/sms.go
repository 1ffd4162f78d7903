package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/credit/watch"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/sms"
	"github.com/pronto-pbx/pronto/firmware/sms/postoffice"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// texts are the short messages of the box.
type texts struct {
	office *postoffice.Office

	mu   sync.Mutex // guards what follows
	up   map[string]bool
	full map[tel.LineID]bool
	held map[tel.LineID]bool // its received messages stay on the SIM
}

// openTexts starts the office of short messages; the lines come after it, because they deliver to it.
func (b *Box) openTexts() error {
	b.texts.up, b.texts.full, b.texts.held = map[string]bool{}, map[tel.LineID]bool{}, map[tel.LineID]bool{}
	var err error
	b.texts.office, err = postoffice.Open(postoffice.Config{
		Log: b.log.With("room", "sms"), Path: filepath.Join(b.opts.Dir, "sms.json"), Rules: smsRules(b.config().SMS),
		Line: b.carriesTexts, Permit: b.mayText, Publish: b.tellText, Record: b.recordText,
		Saved: func(err error) { b.report("sms", err == nil, "short messages cannot be kept") },
		Full:  b.storageOf, Admitted: b.textAdmitted, Notify: b.serviceText,
	})
	return err
}

func smsRules(c config.SMS) sms.Rules {
	return sms.Rules{Hour: c.HourParts, Day: c.DayParts, HourIn: c.HourIn, DayIn: c.DayIn, Wait: c.JoinFor, Try: c.TryFor}
}

// carriesTexts finds a line for a message. A line that is being replaced comes back.
func (b *Box) carriesTexts(id tel.LineID) (line.Messages, error) {
	if !slices.ContainsFunc(b.config().Lines, func(c config.Line) bool { return c.ID == id }) {
		return nil, fmt.Errorf("%w: %q", postoffice.ErrNoLine, id)
	}
	l, ok := b.lines.board.Line(id)
	if !ok {
		return nil, line.ErrDown
	}
	m, ok := l.(line.Messages)
	if !ok {
		return nil, fmt.Errorf("%w: %q", postoffice.ErrNoLine, id)
	}
	return m, nil
}

// mayText asks the rules that also hold for calls to the outside.
func (b *Box) mayText(to tel.Number) error {
	n := b.numbering.Load()
	return tollRules(n.cfg.Toll).Message(to, b.night(n))
}

// recordText writes a change of a message into the history; the office waits for done.
func (b *Box) recordText(e tel.Event, done func(error)) {
	kind, body, err := cdr.Encode(e)
	if err == nil {
		_, err = b.history.AppendSignal(kind, body, done)
	}
	b.report("journal", err == nil, "a finished record could not be written")
	if err != nil {
		done(err)
	}
}

// storageOf keeps the condition of the SIMs' storage: a full one receives nothing more.
func (b *Box) storageOf(l tel.LineID, used, total int) {
	b.texts.mu.Lock()
	defer b.texts.mu.Unlock()
	if b.texts.full[l] = 5*used >= 4*total; !b.texts.full[l] {
		delete(b.texts.full, l)
	}
	b.report("sms_full", len(b.texts.full) == 0, fmt.Sprintf("line %s has %d of %d places for messages taken", l, used, total))
}

// textAdmitted keeps the condition of lines that receive more than is taken from them.
func (b *Box) textAdmitted(l tel.LineID, why error) {
	b.texts.mu.Lock()
	defer b.texts.mu.Unlock()
	if why == nil == !b.texts.held[l] {
		return
	}
	if b.texts.held[l] = why != nil; why == nil {
		delete(b.texts.held, l)
		why = errors.New("")
	}
	b.report("sms_flood", len(b.texts.held) == 0, fmt.Sprintf("line %s: %v; they wait on the SIM and with the network", l, why))
}

// tellText shows a change of a message, and lets the watch over the credit read the operator's.
func (b *Box) tellText(e tel.Event) {
	b.tell(e)
	if m, ok := e.(tel.SMSReceived); ok {
		if id, ok := lineID(m.Line); ok {
			b.sims.watch.Heard(id, m.From, m.Text)
		}
	}
}

// serviceText is what the network says unasked by USSD.
func (b *Box) serviceText(l tel.LineID, text string) {
	b.log.Info("the network says something by USSD", "line", l, "text", text)
	b.sims.watch.Heard(l, "", text)
}

// textsFollow lets what waits for a line go when the line is in service again.
func (b *Box) textsFollow(e tel.LineChanged) {
	b.texts.mu.Lock()
	was := b.texts.up[e.Line]
	b.texts.up[e.Line] = e.Up
	b.texts.mu.Unlock()
	if id, ok := lineID(e.Line); ok && e.Up && !was {
		b.texts.office.LineUp(id)
	}
}

// closeTexts stops sending while the lines still answer.
func (b *Box) closeTexts() {
	if b.texts.office != nil {
		b.texts.office.Close()
	}
}

// simState is a SIM as prontoctl shows it.
type simState struct {
	line.Signal
	History []line.SignalSample `json:"history,omitempty"`
	Credit  watch.Known         `json:"credit"`
}

// simStates are the SIMs of all lines that have an antenna.
func (b *Box) simStates(ctx context.Context) (map[tel.LineID]simState, error) {
	known, err := b.sims.watch.Known(ctx)
	if err != nil {
		return nil, err
	}
	all := map[tel.LineID]simState{}
	for _, c := range b.config().Lines {
		if r, ok := b.lines.radio(c.ID); ok {
			all[c.ID] = simState{Signal: r.Signal(), History: r.SignalHistory(), Credit: known[c.ID]}
		}
	}
	return all, nil
}

// textOrder is a message that prontoctl asks for.
type textOrder struct {
	Line tel.LineID `json:"line"`
	To   tel.Number `json:"to"`
	Text string     `json:"text"`
}

// textCommands are GET /sms, the latest messages, POST /sms, which sends one, and GET /sims.
func (b *Box) textCommands(mux *http.ServeMux) {
	mux.HandleFunc("GET /sims", func(w http.ResponseWriter, r *http.Request) {
		all, err := b.simStates(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		writeJSON(w, http.StatusOK, all)
	})
	mux.HandleFunc("GET /sms", func(w http.ResponseWriter, r *http.Request) {
		all, err := b.texts.office.Recent(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		writeJSON(w, http.StatusOK, all)
	})
	mux.HandleFunc("POST /sms", func(w http.ResponseWriter, r *http.Request) {
		var o textOrder
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&o); err != nil {
			http.Error(w, "no message: "+err.Error(), http.StatusBadRequest)
			return
		}
		m, err := b.texts.office.Send(r.Context(), o.Line, o.To, o.Text)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		writeJSON(w, http.StatusAccepted, m)
	})
}

// writeJSON answers with a value; who hung up needs no answer.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
