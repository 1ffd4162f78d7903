package dialplan

import (
	"strings"
	"time"
)

// PatronOf returns the local holiday of a town: the day its patron saint is honoured with closed
// offices. Towns are written without accents and with dashes for what is no letter: "l-aquila",
// "reggio-calabria". Where the patron falls on a holiday of the state, the other local holiday is
// listed (Venice, Latina, Bolzano).
func PatronOf(town string) (Feast, bool) {
	f, ok := patrons[town]
	return f, ok
}

// Towns lists the towns that PatronOf knows whose names begin with a prefix, for a page's field;
// unordered.
func Towns(prefix string) []string {
	var found []string
	for town := range patrons {
		if strings.HasPrefix(town, prefix) {
			found = append(found, town)
		}
	}
	return found
}

// patrons has every capital of a province. Another town, or a bishop who moves a feast, is for the
// configuration to say.
var patrons = map[string]Feast{
	"agrigento":       {Name: "San Gerlando", Month: time.February, Day: 25},
	"alessandria":     {Name: "San Baudolino", Month: time.November, Day: 10},
	"ancona":          {Name: "San Ciriaco", Month: time.May, Day: 4},
	"andria":          {Name: "San Riccardo", Month: time.September, Nth: 3, Weekday: time.Sunday},
	"aosta":           {Name: "San Grato", Month: time.September, Day: 7},
	"arezzo":          {Name: "San Donato", Month: time.August, Day: 7},
	"ascoli-piceno":   {Name: "Sant'Emidio", Month: time.August, Day: 5},
	"asti":            {Name: "San Secondo", Month: time.May, Nth: 1, Weekday: time.Tuesday},
	"avellino":        {Name: "San Modestino", Month: time.February, Day: 14},
	"bari":            {Name: "San Nicola", Month: time.December, Day: 6},
	"barletta":        {Name: "San Ruggero", Month: time.December, Day: 30},
	"belluno":         {Name: "San Martino", Month: time.November, Day: 11},
	"benevento":       {Name: "San Bartolomeo", Month: time.August, Day: 24},
	"bergamo":         {Name: "Sant'Alessandro", Month: time.August, Day: 26},
	"biella":          {Name: "Santo Stefano", Month: time.December, Day: 26},
	"bologna":         {Name: "San Petronio", Month: time.October, Day: 4},
	"bolzano":         {Name: "Lunedì di Pentecoste", Plus: 50},
	"brescia":         {Name: "Santi Faustino e Giovita", Month: time.February, Day: 15},
	"brindisi":        {Name: "San Teodoro e San Lorenzo", Month: time.September, Nth: 1, Weekday: time.Sunday},
	"cagliari":        {Name: "San Saturnino", Month: time.October, Day: 30},
	"caltanissetta":   {Name: "San Michele Arcangelo", Month: time.September, Day: 29},
	"campobasso":      {Name: "San Giorgio", Month: time.April, Day: 23},
	"carbonia":        {Name: "San Ponziano", Month: time.May, Nth: 2, Weekday: time.Sunday, Plus: 4},
	"carrara":         {Name: "San Ceccardo", Month: time.June, Day: 16},
	"caserta":         {Name: "San Sebastiano", Month: time.January, Day: 20},
	"catania":         {Name: "Sant'Agata", Month: time.February, Day: 5},
	"catanzaro":       {Name: "San Vitaliano", Month: time.July, Day: 16},
	"cesena":          {Name: "San Giovanni Battista", Month: time.June, Day: 24},
	"chieti":          {Name: "San Giustino", Month: time.May, Day: 11},
	"como":            {Name: "Sant'Abbondio", Month: time.August, Day: 31},
	"cosenza":         {Name: "Madonna del Pilerio", Month: time.February, Day: 12},
	"cremona":         {Name: "Sant'Omobono", Month: time.November, Day: 13},
	"crotone":         {Name: "San Dionigi", Month: time.October, Day: 9},
	"cuneo":           {Name: "San Michele Arcangelo", Month: time.September, Day: 29},
	"enna":            {Name: "Madonna della Visitazione", Month: time.July, Day: 2},
	"fermo":           {Name: "Assunzione", Month: time.August, Day: 16},
	"ferrara":         {Name: "San Giorgio", Month: time.April, Day: 23},
	"firenze":         {Name: "San Giovanni Battista", Month: time.June, Day: 24},
	"foggia":          {Name: "Madonna dei Sette Veli", Month: time.March, Day: 22},
	"forli":           {Name: "Madonna del Fuoco", Month: time.February, Day: 4},
	"frosinone":       {Name: "San Silverio", Month: time.June, Day: 20},
	"genova":          {Name: "San Giovanni Battista", Month: time.June, Day: 24},
	"gorizia":         {Name: "Santi Ilario e Taziano", Month: time.March, Day: 16},
	"grosseto":        {Name: "San Lorenzo", Month: time.August, Day: 10},
	"imperia":         {Name: "San Leonardo", Month: time.November, Day: 26},
	"isernia":         {Name: "San Pietro Celestino", Month: time.May, Day: 19},
	"l-aquila":        {Name: "San Massimo", Month: time.June, Day: 10},
	"la-spezia":       {Name: "San Giuseppe", Month: time.March, Day: 19},
	"latina":          {Name: "Santa Maria Goretti", Month: time.July, Day: 6},
	"lecce":           {Name: "Sant'Oronzo", Month: time.August, Day: 26},
	"lecco":           {Name: "San Nicola", Month: time.December, Day: 6},
	"livorno":         {Name: "Santa Giulia", Month: time.May, Day: 22},
	"lodi":            {Name: "San Bassiano", Month: time.January, Day: 19},
	"lucca":           {Name: "San Paolino", Month: time.July, Day: 12},
	"macerata":        {Name: "San Giuliano", Month: time.August, Day: 31},
	"mantova":         {Name: "Sant'Anselmo", Month: time.March, Day: 18},
	"massa":           {Name: "San Francesco d'Assisi", Month: time.October, Day: 4},
	"matera":          {Name: "Madonna della Bruna", Month: time.July, Day: 2},
	"messina":         {Name: "Madonna della Lettera", Month: time.June, Day: 3},
	"milano":          {Name: "Sant'Ambrogio", Month: time.December, Day: 7},
	"modena":          {Name: "San Geminiano", Month: time.January, Day: 31},
	"monza":           {Name: "San Giovanni Battista", Month: time.June, Day: 24},
	"napoli":          {Name: "San Gennaro", Month: time.September, Day: 19},
	"novara":          {Name: "San Gaudenzio", Month: time.January, Day: 22},
	"nuoro":           {Name: "Nostra Signora della Neve", Month: time.August, Day: 5},
	"oristano":        {Name: "Sant'Archelao", Month: time.February, Day: 13},
	"padova":          {Name: "Sant'Antonio", Month: time.June, Day: 13},
	"palermo":         {Name: "Santa Rosalia", Month: time.July, Day: 15},
	"parma":           {Name: "Sant'Ilario", Month: time.January, Day: 13},
	"pavia":           {Name: "San Siro", Month: time.December, Day: 9},
	"perugia":         {Name: "San Costanzo", Month: time.January, Day: 29},
	"pesaro":          {Name: "San Terenzio", Month: time.September, Day: 24},
	"pescara":         {Name: "San Cetteo", Month: time.October, Day: 10},
	"piacenza":        {Name: "Sant'Antonino", Month: time.July, Day: 4},
	"pisa":            {Name: "San Ranieri", Month: time.June, Day: 17},
	"pistoia":         {Name: "San Jacopo", Month: time.July, Day: 25},
	"pordenone":       {Name: "Madonna delle Grazie", Month: time.September, Day: 8},
	"potenza":         {Name: "San Gerardo", Month: time.May, Day: 30},
	"prato":           {Name: "Santo Stefano", Month: time.December, Day: 26},
	"ragusa":          {Name: "San Giovanni Battista", Month: time.August, Day: 29},
	"ravenna":         {Name: "Sant'Apollinare", Month: time.July, Day: 23},
	"reggio-calabria": {Name: "San Giorgio", Month: time.April, Day: 23},
	"reggio-emilia":   {Name: "San Prospero", Month: time.November, Day: 24},
	"rieti":           {Name: "Santa Barbara", Month: time.December, Day: 4},
	"rimini":          {Name: "San Gaudenzio", Month: time.October, Day: 14},
	"roma":            {Name: "Santi Pietro e Paolo", Month: time.June, Day: 29},
	"rovigo":          {Name: "San Bellino", Month: time.November, Day: 26},
	"salerno":         {Name: "San Matteo", Month: time.September, Day: 21},
	"sassari":         {Name: "San Nicola", Month: time.December, Day: 6},
	"savona":          {Name: "Nostra Signora della Misericordia", Month: time.March, Day: 18},
	"siena":           {Name: "Sant'Ansano", Month: time.December, Day: 1},
	"siracusa":        {Name: "Santa Lucia", Month: time.December, Day: 13},
	"sondrio":         {Name: "Santi Gervasio e Protasio", Month: time.June, Day: 19},
	"taranto":         {Name: "San Cataldo", Month: time.May, Day: 10},
	"teramo":          {Name: "San Berardo", Month: time.December, Day: 19},
	"terni":           {Name: "San Valentino", Month: time.February, Day: 14},
	"torino":          {Name: "San Giovanni Battista", Month: time.June, Day: 24},
	"trani":           {Name: "San Nicola Pellegrino", Month: time.May, Day: 3},
	"trapani":         {Name: "Sant'Alberto", Month: time.August, Day: 7},
	"trento":          {Name: "San Vigilio", Month: time.June, Day: 26},
	"treviso":         {Name: "San Liberale", Month: time.April, Day: 27},
	"trieste":         {Name: "San Giusto", Month: time.November, Day: 3},
	"udine":           {Name: "Santi Ermacora e Fortunato", Month: time.July, Day: 12},
	"urbino":          {Name: "San Crescentino", Month: time.June, Day: 1},
	"varese":          {Name: "San Vittore", Month: time.May, Day: 8},
	"venezia":         {Name: "Madonna della Salute", Month: time.November, Day: 21},
	"verbania":        {Name: "San Vittore", Month: time.May, Day: 8},
	"vercelli":        {Name: "Sant'Eusebio", Month: time.August, Day: 1},
	"verona":          {Name: "San Zeno", Month: time.May, Day: 21},
	"vibo-valentia":   {Name: "San Leoluca", Month: time.March, Day: 1},
	"vicenza":         {Name: "Madonna di Monte Berico", Month: time.September, Day: 8},
	"viterbo":         {Name: "Santa Rosa", Month: time.September, Day: 4},
}
