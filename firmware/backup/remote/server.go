package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// Listen makes the socket, in the place of one that a dead process has left. Whoever may reach the records may
// reach it.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("socket of the backups: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("socket of the backups: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("socket of the backups: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("socket of the backups: %w", err), l.Close())
	}
	return l, nil
}

// Serve answers until ctx ends.
func Serve(ctx context.Context, l net.Listener, n *backup.Nightly) error {
	server := &http.Server{Handler: routes(n), ReadHeaderTimeout: quick, MaxHeaderBytes: 8 << 10, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func routes(n *backup.Nightly) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		st, err := backup.ReadStatus(n.Source)
		answer(w, State{Status: st, Running: n.Running()}, err)
	})
	mux.HandleFunc("POST /now", func(w http.ResponseWriter, _ *http.Request) {
		n.Now()
		answer(w, State{Running: true}, nil)
	})
	mux.HandleFunc("POST /try", func(w http.ResponseWriter, r *http.Request) {
		var c config.Backup
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit)).Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		to, err := n.Open(c)
		if err == nil {
			err = try(r.Context(), to)
		}
		answer(w, struct{}{}, err)
	})
	mux.HandleFunc("GET /list", func(w http.ResponseWriter, r *http.Request) {
		to, err := open(n)
		var names []string
		if err == nil {
			names, err = to.List(r.Context())
		}
		var all []Copy
		for _, name := range names {
			if at, ok := backup.MadeAt(name); ok {
				all = append(all, Copy{name, at})
			}
		}
		slices.SortFunc(all, func(a, b Copy) int { return b.Made.Compare(a.Made) })
		answer(w, all, err)
	})
	mux.HandleFunc("GET /copy", func(w http.ResponseWriter, r *http.Request) { copyOut(w, r, n) })
	return mux
}

func open(n *backup.Nightly) (backup.Place, error) {
	c, _, err := n.Configured()
	if err != nil {
		return nil, err
	}
	return n.Open(c)
}

// copyOut sends a backup as it lies there, which nobody reads without a key. One that breaks off ends the
// connection, so that it is not taken for whole.
func copyOut(w http.ResponseWriter, r *http.Request, n *backup.Nightly) {
	name := r.URL.Query().Get("name")
	if _, ok := backup.MadeAt(name); !ok {
		http.Error(w, fmt.Sprintf("%q is no backup", name), http.StatusBadRequest)
		return
	}
	to, err := open(n)
	var body io.ReadCloser
	if err == nil {
		body, err = to.Get(r.Context(), name)
	}
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer body.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// answer is a value, or why there is none.
func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who hung up needs no answer
}

// trial is the file with which a place is tried.
const trial = "pronto-trial"

// try stores something in a place, reads it back and removes it.
func try(ctx context.Context, to backup.Place) (err error) {
	ctx, cancel := context.WithTimeout(ctx, slow)
	defer cancel()
	text := bytes.Repeat([]byte("Pronto tries whether backups can lie here. "), 400)
	if err := to.Put(ctx, trial, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	defer func() {
		if e := to.Delete(ctx, trial); e != nil {
			err = errors.Join(err, fmt.Errorf("remove: %w", e))
		}
	}()
	body, err := to.Get(ctx, trial)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	defer body.Close()
	got, err := io.ReadAll(io.LimitReader(body, int64(len(text))+1))
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if !bytes.Equal(got, text) {
		return errors.New("what is read back is not what was written")
	}
	if _, err := to.List(ctx); err != nil {
		return fmt.Errorf("list: %w", err)
	}
	return nil
}
