package backup

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
)

// stale is how old the last backup may be: one night may fail.
const stale = 50 * time.Hour

// Debt says in a sentence what is missing until a dead card costs nothing; empty when nothing is.
func Debt(s Source, c config.Backup, now time.Time) string {
	k, err := ReadKeys(s)
	if err != nil {
		return err.Error()
	}
	st, err := ReadStatus(s)
	switch {
	case err != nil:
		return err.Error()
	case c.To == "":
		return "no place for backups is set"
	case k.Kit == "":
		return "there is no recovery kit"
	case st.Failed != "":
		return st.Failed
	case st.Made.IsZero():
		return "no backup was made yet"
	case now.Sub(st.Made) > stale:
		return fmt.Sprintf("the last backup is of %s", st.Made.Format(time.DateTime))
	case k.Confirmed.IsZero():
		return "nobody has confirmed the recovery kit"
	default:
		return ""
	}
}
