package dialog

import (
	"net/url"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// NumberOf reads the dialled number of a SIP URI. Its host does not matter: all numbers are dialled
// at this box.
func NumberOf(uri string) (tel.Number, error) {
	var u sip.Uri
	if err := sip.ParseUri(uri, &u); err != nil {
		return "", err
	}
	return UserNumber(u)
}

// UserNumber reads the number in the user part of a URI; * and # may be escaped there.
func UserNumber(u sip.Uri) (tel.Number, error) {
	user, err := url.PathUnescape(u.User)
	if err != nil {
		return "", tel.ErrNumber
	}
	return tel.ParseNumber(user)
}
