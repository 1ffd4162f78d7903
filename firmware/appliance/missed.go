package appliance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/ledger"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// openLedger opens what the queues owe to people who are not on the line; records that the file has
// not seen are counted from the journal.
func (b *Box) openLedger() error {
	var err error
	b.ledger, err = ledger.Open(ledger.Config{
		Log: b.log.With("room", "missed"), Path: filepath.Join(b.opts.Dir, "ledger.json"),
		Keep:    func() time.Duration { return b.config().MissedCallers.Keep },
		Now:     b.ages.Now,
		Publish: b.publish,
		Saved:   b.kept("missed"),
	})
	return err
}

// openMemories opens what the queues remember of callers who are not on the line.
func (b *Box) openMemories() error {
	var err error
	b.memories, err = ledger.OpenMemories(ledger.MemoriesConfig{
		Log: b.log.With("room", "queues"), Path: filepath.Join(b.opts.Dir, "memories.json"), Saved: b.kept("memories"),
	})
	return err
}

// kept reports whether a file of the queues takes what is written.
func (b *Box) kept(condition string) func(error) {
	return func(err error) {
		text := ""
		if err != nil {
			text = err.Error()
		}
		b.report(condition, err == nil, text)
	}
}

// recall gives queues that have lost their state, as after a power cut, the callbacks that are owed and what was known of callers.
func (b *Box) recall() error {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	return b.queues.Recall(ctx, b.ledger.Callbacks(), b.remembered)
}

// missedCallers are the callers whom nobody has served, the latest first, with the names of their queues.
func (b *Box) missedCallers() (all []page.Missed) {
	c := b.config()
	for _, m := range b.ledger.Missed() {
		name := string(m.Queue)
		if q, ok := c.QueueOf(m.Queue); ok {
			name = cmp.Or(q.Name, name)
		}
		all = append(all, page.Missed{MissedChanged: m, QueueName: name})
	}
	return all
}

// missedCommands are what prontoctl can ask about callers who were not served.
func (b *Box) missedCommands(mux *http.ServeMux) {
	mux.HandleFunc("GET /missed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(b.ledger.Missed()) // who hung up needs no answer
	})
	mux.HandleFunc("DELETE /missed/{number}", func(w http.ResponseWriter, r *http.Request) {
		n, err := tel.ParseNumber(r.PathValue("number"))
		if err == nil {
			err = b.ledger.Dismiss(r.Context(), n)
		}
		switch {
		case errors.Is(err, ledger.ErrUnknown):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
}
