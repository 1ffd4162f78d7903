package gate

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

	"golang.org/x/sys/unix"
)

// Room is what the first program does. An error that is no Refused is CodeFailed.
type Room struct {
	Network func() Network
	Try     func(context.Context, Choice) (token string, err error)
	Confirm func(ctx context.Context, token string) error
	Recall  func(context.Context) error
	Restart func() // begins to end the box, and returns
	Killed  func() []Kill
}

// Listen makes the socket, in the place of one that is left over. The kernel lets the group of the directory's
// programs connect; who may ask is the matter of Serve.
func Listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("gate: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("gate: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(fmt.Errorf("gate: %w", err), l.Close())
	}
	return l, nil
}

// Door is what one user may ask: a Room or Updates.
type Door interface{ routes() http.Handler }

// Doors are the users who may ask, by the kernel's numbers, each at a door of its own: what stands behind another one is
// not there for it.
type Doors map[uint32]Door

// Serve answers until ctx ends those for whom there is a door.
func Serve(ctx context.Context, log *slog.Logger, l net.Listener, doors Doors) error {
	behind := make(map[uint32]http.Handler, len(doors))
	for uid, d := range doors {
		behind[uid] = d.routes()
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if c, ok := q.Context().Value(whose{}).(guest); ok { // no other was let in
				behind[c.uid].ServeHTTP(w, q)
			}
		}),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, whose{}, c) },
		ReadTimeout: quick, MaxHeaderBytes: 8 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(known{l, log, doors}); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("gate: %w", err)
	}
	return nil
}

// whose is the key under which a request has its guest: a connection of somebody who is known.
type (
	whose struct{}
	guest struct {
		net.Conn
		uid uint32
	}
)

// known is a listener that hangs up on who is not known.
type known struct {
	net.Listener
	log   *slog.Logger
	doors Doors
}

// Accept implements net.Listener.
func (k known) Accept() (net.Conn, error) {
	for {
		c, err := k.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peer(c)
		if _, ok := k.doors[uid]; ok && err == nil {
			return guest{c, uid}, nil
		}
		k.log.Warn("gate: somebody was sent away", "uid", uid, "err", err)
		_ = c.Close()
	}
}

// peer is the user at the other end of a unix socket, as the kernel knows.
func peer(c net.Conn) (uid uint32, err error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, errors.New("no unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); e != nil {
		return 0, e
	}
	if err != nil {
		return 0, err
	}
	return cred.Uid, nil
}

func (r Room) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /network", func(w http.ResponseWriter, _ *http.Request) { answer(w, r.Network(), nil) })
	mux.HandleFunc("POST /network/try", func(w http.ResponseWriter, q *http.Request) {
		var c Choice
		if !read(w, q, &c) {
			return
		}
		ctx, cancel := context.WithTimeout(q.Context(), tryFor)
		defer cancel()
		token, err := r.Try(ctx, c)
		answer(w, token, err)
	})
	mux.HandleFunc("POST /network/confirm", func(w http.ResponseWriter, q *http.Request) {
		var token string
		if read(w, q, &token) {
			answer(w, nil, r.Confirm(q.Context(), token))
		}
	})
	mux.HandleFunc("POST /network/recall", func(w http.ResponseWriter, q *http.Request) { answer(w, nil, r.Recall(q.Context())) })
	mux.HandleFunc("GET /killed", func(w http.ResponseWriter, _ *http.Request) { answer(w, r.Killed(), nil) })
	mux.HandleFunc("POST /restart", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, nil, nil)
		r.Restart()
	})
	return mux
}

func read(w http.ResponseWriter, q *http.Request, into any) bool {
	if err := json.NewDecoder(io.LimitReader(q.Body, bodyLimit)).Decode(into); err != nil {
		answer(w, nil, &Refused{CodeMistaken, err.Error()})
		return false
	}
	return true
}

// answer is a value, or a refusal. Who hung up needs none.
func answer(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		refused, ok := errors.AsType[*Refused](err)
		if !ok {
			refused = &Refused{CodeFailed, err.Error()}
		}
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(refused)
		return
	}
	_ = json.NewEncoder(w).Encode(v)
}
