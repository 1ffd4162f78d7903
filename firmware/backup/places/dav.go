package places

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/studio-b12/gowebdav"

	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// dav is a folder on a WebDAV server (RFC 4918).
type dav struct {
	client *gowebdav.Client
	spool  string
}

// Limits of a server that does not answer.
const (
	connectIn = 15 * time.Second
	answerIn  = 2 * time.Minute
)

func newDAV(at *url.URL, c config.Backup, spool string) backup.Place {
	client := gowebdav.NewClient(at.String(), c.User, string(c.Password))
	client.SetTransport(&http.Transport{
		DialContext: (&net.Dialer{Timeout: connectIn}).DialContext, TLSHandshakeTimeout: connectIn, ResponseHeaderTimeout: answerIn,
		DisableKeepAlives: true, // once a night
	})
	return dav{client, spool}
}

// Put implements backup.Place. A server that loses the connection may keep a half: it goes under another name.
func (d dav) Put(ctx context.Context, name string, body io.Reader) error {
	return spooled(d.spool, body, func(f *os.File, size int64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		// A small question first, so that the sign-in is done: a server that does not know us yet answers before it
		// has read what we send, and cuts us off.
		if _, err := d.client.ReadDir("/"); err != nil {
			return err
		}
		if err := d.client.WriteStreamWithLength(name+".part", f, size, 0o600); err != nil {
			return errors.Join(err, d.gone(d.client.Remove(name+".part")))
		}
		return d.client.Rename(name+".part", name, true)
	})
}

// gone is no error for what was not there.
func (dav) gone(err error) error {
	if gowebdav.IsErrNotFound(err) {
		return nil
	}
	return err
}

// Get implements backup.Place.
func (d dav) Get(_ context.Context, name string) (io.ReadCloser, error) {
	return d.client.ReadStream(name)
}

// List implements backup.Place.
func (d dav) List(context.Context) ([]string, error) {
	all, err := d.client.ReadDir("/")
	var names []string
	for _, f := range all {
		if !f.IsDir() {
			names = append(names, f.Name())
		}
	}
	return onlyBackups(names), err
}

// Delete implements backup.Place.
func (d dav) Delete(_ context.Context, name string) error { return d.client.Remove(name) }
