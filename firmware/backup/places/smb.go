package places

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path"
	"strings"

	"github.com/hirochachacha/go-smb2"

	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// smbPort is where file servers of Windows and Samba listen (direct TCP, [MS-SMB2] section 2.1).
const smbPort = "445"

// smb is a folder of a share of a file server (SMB 2 and 3). SMB 1 is not spoken. Each call is a session of its own:
// once a night nobody keeps one open.
type smb struct {
	address, share, folder string
	user, domain, password string
}

func newSMB(at *url.URL, c config.Backup) (backup.Place, error) {
	share, folder := split(at.Path)
	if share == "" {
		return nil, fmt.Errorf("%q names no share: write smb://host/share/folder", c.To)
	}
	port := at.Port()
	if port == "" {
		port = smbPort
	}
	p := smb{address: net.JoinHostPort(at.Hostname(), port), share: share, folder: folder, user: c.User, password: string(c.Password)}
	if domain, user, ok := strings.Cut(c.User, `\`); ok { // as Windows writes it
		p.domain, p.user = domain, user
	}
	return p, nil
}

// mounted is a share in use.
type mounted struct {
	*smb2.Share
	session *smb2.Session
	conn    net.Conn
}

func (p smb) open(ctx context.Context) (*mounted, error) {
	conn, err := (&net.Dialer{Timeout: connectIn}).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	signIn, cancel := context.WithTimeout(ctx, connectIn)
	defer cancel()
	d := smb2.Dialer{Initiator: &smb2.NTLMInitiator{User: p.user, Password: p.password, Domain: p.domain}}
	session, err := d.DialContext(signIn, conn)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sign in at the file server: %w", err), conn.Close())
	}
	share, err := session.WithContext(ctx).Mount(p.share)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("share %q: %w", p.share, err), session.Logoff(), ignoreClosed(conn.Close()))
	}
	return &mounted{share.WithContext(ctx), session, conn}, nil
}

// close ends the session; what was written is there, whatever the farewell brings.
func (m *mounted) close() {
	_ = m.Umount()
	_ = m.session.Logoff()
	_ = m.conn.Close()
}

func (p smb) in(ctx context.Context, do func(*mounted) error) error {
	m, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer m.close()
	return do(m)
}

func (p smb) at(name string) string { return strings.ReplaceAll(path.Join(p.folder, name), "/", `\`) }

// Put implements backup.Place. A half goes under another name, and away again.
func (p smb) Put(ctx context.Context, name string, body io.Reader) error {
	return p.in(ctx, func(m *mounted) error {
		part := p.at(name + ".part")
		f, err := m.Create(part)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, body)
		if err == nil {
			err = f.Sync()
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return errors.Join(err, m.Remove(part))
		}
		return m.Rename(part, p.at(name))
	})
}

// remote is a file that ends its session when it is closed.
type remote struct {
	*smb2.File
	m *mounted
}

// Close implements io.Closer.
func (r remote) Close() error {
	defer r.m.close()
	return r.File.Close()
}

// Get implements backup.Place.
func (p smb) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	m, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	f, err := m.Open(p.at(name))
	if err != nil {
		m.close()
		return nil, err
	}
	return remote{f, m}, nil
}

// List implements backup.Place.
func (p smb) List(ctx context.Context) (names []string, err error) {
	err = p.in(ctx, func(m *mounted) error {
		all, err := m.ReadDir(p.at("."))
		for _, f := range all {
			if !f.IsDir() {
				names = append(names, f.Name())
			}
		}
		return err
	})
	return onlyBackups(names), err
}

// Delete implements backup.Place.
func (p smb) Delete(ctx context.Context, name string) error {
	return p.in(ctx, func(m *mounted) error { return m.Remove(p.at(name)) })
}
