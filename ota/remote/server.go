package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/pronto-pbx/pronto/ota/rollout"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// Room is what the updater does for the page. An error that is no Refused is CodeSlots.
type Room interface {
	// State tells how it stands; at once.
	State() State
	// Check asks the vendor now, and returns when there is an answer.
	Check(ctx context.Context) error
	// Install takes the release on offer, whatever the policy says of its time; calls are waited for.
	Install(ctx context.Context, version string) error
	// Postpone has no release started before; the zero value takes that back. Limits: MaxPostponed.
	Postpone(ctx context.Context, until time.Time) error
	// Set changes the owner's settings but for Postponed.
	Set(ctx context.Context, s Settings) error
	// Seen remembers that somebody has read how the last update ended.
	Seen(ctx context.Context) error
	// Bundle takes a bundle as it comes, and installs its release where it is one for this box.
	Bundle(ctx context.Context, content io.Reader) error
	// Stick does the same with a file below the directory of sticks.
	Stick(ctx context.Context, path string) error
}

// Refused is an answer that is none: one of the codes, and words for the log.
type Refused struct {
	Code    slot.Code `json:"code"`
	Words   string    `json:"words"`
	Reasons []Refusal `json:"reasons,omitempty"` // where the release is not for this box
}

// Error implements error.
func (r *Refused) Error() string { return string(r.Code) + ": " + r.Words }

// The codes that only this way has.
const (
	CodeMistaken slot.Code = "mistaken" // the question cannot be understood
	CodeOther    slot.Code = "other"    // that release is not on offer any more
	CodeBusy     slot.Code = "busy"     // a release is on trial, or another bundle comes in
)

// Limits of what is asked.
const (
	MaxBundle    = 1 << 30 // bytes
	MaxPostponed = rollout.MaxPostponed

	bodyLimit   = 16 << 10
	answerLimit = 256 << 10
	quick       = 10 * time.Second
	checkFor    = 3 * time.Minute
	stall       = time.Minute // without a byte of a bundle
)

// Listen makes the socket, in the place of one that is left over. Its group may connect.
func Listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remote: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("remote: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("remote: %w", err), l.Close())
	}
	return l, nil
}

// Serve answers until ctx ends.
func Serve(ctx context.Context, l net.Listener, r Room) error {
	server := &http.Server{
		Handler: routes(r), ReadHeaderTimeout: quick, IdleTimeout: quick, MaxHeaderBytes: 8 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		within, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.Shutdown(within) // who asked is answered first
		_ = server.Close()
	})
	err := server.Serve(l)
	if !stop() {
		<-ended
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("remote: %w", err)
	}
	return nil
}

func routes(r Room) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) { answer(w, r.State(), nil) })
	mux.HandleFunc("POST /check", func(w http.ResponseWriter, q *http.Request) {
		ctx, cancel := context.WithTimeout(q.Context(), checkFor)
		defer cancel()
		answer(w, nil, r.Check(ctx))
	})
	mux.HandleFunc("POST /install", func(w http.ResponseWriter, q *http.Request) {
		var a install
		if read(w, q, &a) {
			answer(w, nil, r.Install(q.Context(), a.Version))
		}
	})
	mux.HandleFunc("POST /postpone", func(w http.ResponseWriter, q *http.Request) {
		var a postpone
		if read(w, q, &a) {
			answer(w, nil, r.Postpone(q.Context(), a.Until))
		}
	})
	mux.HandleFunc("POST /settings", func(w http.ResponseWriter, q *http.Request) {
		var a Settings
		if read(w, q, &a) {
			answer(w, nil, r.Set(q.Context(), a))
		}
	})
	mux.HandleFunc("POST /seen", func(w http.ResponseWriter, q *http.Request) { answer(w, nil, r.Seen(q.Context())) })
	mux.HandleFunc("PUT /bundle", func(w http.ResponseWriter, q *http.Request) {
		body := &paced{http.MaxBytesReader(w, q.Body, MaxBundle), http.NewResponseController(w)}
		answer(w, nil, r.Bundle(q.Context(), body))
	})
	mux.HandleFunc("POST /bundle", func(w http.ResponseWriter, q *http.Request) {
		var a stick
		if read(w, q, &a) {
			answer(w, nil, r.Stick(q.Context(), a.Path))
		}
	})
	return mux
}

type (
	install struct {
		Version string `json:"version"`
	}
	postpone struct {
		Until time.Time `json:"until,omitzero"`
	}
	stick struct {
		Path string `json:"path"`
	}
)

// paced gives up on who sends nothing for a while.
type paced struct {
	from io.Reader
	at   *http.ResponseController
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	if err := p.at.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return p.from.Read(b)
}

func read(w http.ResponseWriter, q *http.Request, into any) bool {
	if err := json.NewDecoder(io.LimitReader(q.Body, bodyLimit)).Decode(into); err != nil {
		answer(w, nil, &Refused{Code: CodeMistaken, Words: err.Error()})
		return false
	}
	return true
}

// answer is a value, or a refusal.
func answer(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		refused, ok := errors.AsType[*Refused](err)
		if !ok {
			refused = &Refused{Code: slot.CodeSlots, Words: err.Error()}
		}
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(refused)
		return
	}
	_ = json.NewEncoder(w).Encode(v)
}
