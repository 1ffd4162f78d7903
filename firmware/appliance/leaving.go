package appliance

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
)

// mostWish bounds the body of a question of the updater, in bytes.
const mostWish = 4 << 10

// leaveCommands are the doors of who restarts the box. POST /fit/promise has nothing begin for a while but calls for help,
// which end the promise; 409 tells who is on the phone. POST /fit/leave says that the restart comes now; 409: it must not.
// POST /fit/withdraw gives a promise back. POST /fit/drain has the queues take no new callers for a while.
func (b *Box) leaveCommands(mux *http.ServeMux) {
	door := func(path string, do func(w http.ResponseWriter, r *http.Request, q wish)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			var q wish
			if err := json.NewDecoder(io.LimitReader(r.Body, mostWish)).Decode(&q); err != nil {
				http.Error(w, "the question cannot be read: "+err.Error(), http.StatusBadRequest)
				return
			}
			do(w, r, q)
		})
	}
	door("/fit/promise", func(w http.ResponseWriter, _ *http.Request, q wish) {
		token, err := b.calls.Promise(q.For, q.EndCalls)
		if err != nil {
			writeJSON(w, http.StatusConflict, b.fitness().engaged)
			return
		}
		b.log.Info("nothing begins for a while: the box is to restart", "for", min(q.For, call.MaxPromise), "end_calls", q.EndCalls)
		writeJSON(w, http.StatusOK, promised{token})
	})
	door("/fit/leave", func(w http.ResponseWriter, _ *http.Request, q wish) {
		err := b.calls.Leave(q.Token)
		switch {
		case errors.Is(err, call.ErrNoPromise):
			b.log.Warn("the box must not restart", "err", err)
			http.Error(w, err.Error(), http.StatusConflict)
			return
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		b.log.Info("the box restarts: nobody is cut off")
		writeJSON(w, http.StatusOK, struct{}{})
	})
	door("/fit/withdraw", func(w http.ResponseWriter, _ *http.Request, q wish) {
		b.calls.Withdraw(q.Token)
		writeJSON(w, http.StatusOK, struct{}{})
	})
	door("/fit/drain", func(w http.ResponseWriter, r *http.Request, q wish) {
		if err := b.queues.Drain(r.Context(), q.For); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		writeJSON(w, http.StatusOK, struct{}{})
	})
}

// wish is the body of these questions.
type wish struct {
	For      time.Duration `json:"for"` // in nanoseconds
	EndCalls bool          `json:"end_calls"`
	Token    string        `json:"token"`
}

// promised is the answer with a promise.
type promised struct {
	Token string `json:"token"`
}
