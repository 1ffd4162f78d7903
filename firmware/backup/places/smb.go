package places

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path"

	"github.com/cloudsoda/go-smb2"

	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// share is a folder of a share of a NAS or of Windows (SMB 2 and 3).
type share struct {
	host, name, folder string
	user, password     string
}

func newShare(at *url.URL, c config.Backup) (backup.Place, error) {
	s := share{host: at.Host, user: c.User, password: string(c.Password)}
	if s.name, s.folder = split(at.Path); s.name == "" {
		return nil, fmt.Errorf("%s names no share: write smb://host/share", at)
	}
	if at.Port() == "" {
		s.host = net.JoinHostPort(at.Hostname(), "445")
	}
	return s, nil
}

// with opens the share for one action.
func (s share) with(ctx context.Context, do func(*smb2.Share) error) error {
	dialer := net.Dialer{Timeout: connectIn}
	conn, err := dialer.DialContext(ctx, "tcp", s.host)
	if err != nil {
		return err
	}
	defer conn.Close()
	session, err := (&smb2.Dialer{Initiator: &smb2.NTLMInitiator{User: s.user, Password: s.password}}).DialConn(ctx, conn, s.host)
	if err != nil {
		return fmt.Errorf("sign in at %s: %w", s.host, err)
	}
	defer func() { _ = session.Logoff() }()
	mounted, err := session.WithContext(ctx).Mount(s.name)
	if err != nil {
		return fmt.Errorf("share %s: %w", s.name, err)
	}
	err = do(mounted.WithContext(ctx))
	return errors.Join(err, mounted.Umount())
}

// Put implements backup.Place.
func (s share) Put(ctx context.Context, name string, body io.Reader) error {
	at := path.Join(s.folder, name)
	return s.with(ctx, func(m *smb2.Share) error {
		f, err := m.OpenFile(at+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, body)
		if err := errors.Join(err, f.Close()); err != nil {
			return errors.Join(err, m.Remove(at+".part"))
		}
		return m.Rename(at+".part", at)
	})
}

// Get implements backup.Place. What is read is fetched while the share is open, through a pipe.
func (s share) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	reader, writer := io.Pipe()
	begun, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		err := s.with(ctx, func(m *smb2.Share) error {
			f, err := m.Open(path.Join(s.folder, name))
			begun <- err
			if err != nil {
				return err
			}
			_, err = io.Copy(writer, f)
			return errors.Join(err, f.Close())
		})
		_ = writer.CloseWithError(err)
		select {
		case begun <- err: // it never came so far
		default:
		}
	}()
	if err := <-begun; err != nil {
		cancel()
		<-ended
		return nil, err
	}
	return fetched{reader, cancel, ended}, nil
}

// fetched ends the transfer when it is closed.
type fetched struct {
	*io.PipeReader
	cancel context.CancelFunc
	ended  <-chan struct{}
}

// Close implements io.Closer.
func (f fetched) Close() error {
	err := f.PipeReader.Close()
	f.cancel()
	<-f.ended
	return err
}

// List implements backup.Place.
func (s share) List(ctx context.Context) (names []string, err error) {
	err = s.with(ctx, func(m *smb2.Share) error {
		all, err := m.ReadDir(s.folder)
		for _, f := range all {
			if f.Mode().IsRegular() {
				names = append(names, f.Name())
			}
		}
		return err
	})
	return onlyBackups(names), err
}

// Delete implements backup.Place.
func (s share) Delete(ctx context.Context, name string) error {
	return s.with(ctx, func(m *smb2.Share) error { return m.Remove(path.Join(s.folder, name)) })
}
