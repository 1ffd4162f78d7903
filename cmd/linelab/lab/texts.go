package lab

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
)

// writers are customers and the operator, who send messages to the SIM's number.
func (l *lab) writers() {
	var never chan struct{}
	for n := 0; l.pause(l.between(10*time.Second, 30*time.Second), never); n++ {
		from, text := customer(l.pick), "Buongiorno, il mio ordine è pronto?"
		switch n % 4 {
		case 1:
			text = "Buongiorno, vi scrivo perché ieri ho provato a chiamarvi e la linea era sempre occupata. " +
				"Potete richiamarmi domani mattina tra le 9 e le 11? Grazie mille e buona giornata! 😀"
		case 2:
			from, text = "TIM", fmt.Sprintf("Il tuo credito residuo e' di %d,%02d euro", l.pick(12), l.pick(100))
		case 3:
			text = "Ok, a domani"
		}
		if err := l.mobile.Deliver(from, text); err != nil {
			return
		}
		l.say("%s writes to the mobile line", from)
	}
}

// answered tells of a message of the office.
func (l *lab) answered(m gsmsim.Message) { l.say("the office writes to %s: %s", m.To, m.Text) }

// service is what the operator says to a service code.
func (l *lab) service(code string) (text string, menu bool) {
	l.say("the office asks the operator %s", code)
	return fmt.Sprintf("Credito residuo: %d,%02d euro. Scade il %s", 4+l.pick(20), l.pick(100), time.Now().AddDate(1, 0, 0).Format("02/01/2006")), false
}
