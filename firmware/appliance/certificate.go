package appliance

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/firmware/certificate"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// lookAtCertificate is how often the end of the certificate is looked at.
const lookAtCertificate = time.Hour

// watchCertificate has the page say when the certificate is about to expire, or cannot be read.
func (b *Box) watchCertificate(ctx context.Context) {
	tick := time.NewTicker(lookAtCertificate)
	defer tick.Stop()
	for {
		b.reportCertificate(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (b *Box) reportCertificate(now time.Time) {
	trouble := ""
	if b.tlsSource != nil {
		trouble = b.tlsSource.Trouble(now)
	}
	b.report("certificate", trouble == "", trouble)
}

// certificates is the page's way to the certificate that the page and the phones meet.
func (b *Box) certificates() settings.Certificate {
	change := func(do func(*certificate.Source) error) (settings.Refusal, error) {
		if b.tlsSource == nil {
			return settings.Refusal{Sentence: "certificate.absent"}, nil
		}
		no, err := refusedCertificate(do(b.tlsSource))
		b.reportCertificate(time.Now())
		return no, err
	}
	return settings.Certificate{
		State: b.certificateState,
		Give: func(chain, key []byte) (settings.Refusal, error) {
			return change(func(s *certificate.Source) error {
				_, err := s.Give(chain, key, b.certified(), time.Now())
				return err
			})
		},
		Undo:     func() (settings.Refusal, error) { return change((*certificate.Source).Undo) },
		Withdraw: func() (settings.Refusal, error) { return change((*certificate.Source).Withdraw) },
	}
}

func (b *Box) certificateState() page.CertificateState {
	if b.tlsSource == nil {
		return page.CertificateState{}
	}
	s := b.tlsSource.Standing(b.certified())
	return page.CertificateState{
		Kind: string(s.Kind), Names: s.Report.Names, Issuer: s.Report.Issuer, Expires: onClock(s.Report.Expires, b.numbering.Load().plan.Zone),
		Fingerprint: s.Fingerprint, Uncovered: s.Report.Uncovered, Alone: s.Report.Alone, Undo: s.Undo,
	}
}

// refusedCertificate is the sentence for why a certificate is not used; what is no refusal is an error.
func refusedCertificate(err error) (settings.Refusal, error) {
	if err == nil {
		return settings.Refusal{}, nil
	}
	for _, x := range []struct {
		err      error
		sentence string
	}{
		{certificate.ErrPEM, "certificate.unread"},
		{certificate.ErrKeyPEM, "certificate.keyless"},
		{certificate.ErrPair, "certificate.pair"},
		{certificate.ErrDates, "certificate.dates"},
		{certificate.ErrNames, "certificate.nameless"},
		{certificate.ErrPurpose, "certificate.purpose"},
		{certificate.ErrWeak, "certificate.weak"},
		{certificate.ErrChain, "certificate.unchained"},
		{certificate.ErrFiles, "certificate.files"},
		{certificate.ErrNoUndo, "certificate.first"},
		{syscall.ENOSPC, "settings.disk"},
		{syscall.EROFS, "settings.disk"},
		{fs.ErrPermission, "settings.disk"},
	} {
		if errors.Is(err, x.err) {
			return settings.Refusal{Sentence: x.sentence, Detail: err.Error()}, nil
		}
	}
	return settings.Refusal{}, err
}
