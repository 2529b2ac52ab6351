package expression

import "strings"

// scan reads the text by a format that has been checked.
func (p *dateParser) scan(format []byte) {
	for i := 0; i < len(format); i++ {
		if p.at >= len(p.text) {
			p.fail(p.at, "Not enough data available to satisfy format")
			return
		}
		if format[i] != '%' {
			if p.text[p.at] != format[i] {
				p.fail(p.at, "Format literal not found")
			}
			p.at++
			continue
		}
		i++
		begin := p.at
		if !p.scanPiece(format[i]) {
			p.fail(begin, "Unexpected data found.")
			return
		}
	}
	if p.at < len(p.text) {
		p.fail(p.at, "Trailing data")
	}
}

// scanned is a letter of formats that stands for a number.
type scanned struct {
	piece, least, most int
	from, to           int64
}

var scannedNumbers = map[byte]scanned{
	'Y': {pieceYear, 1, 4, 0, 9999},
	'm': {pieceMonth, 1, 2, 0, 99},
	'd': {pieceDay, 1, 2, 0, 99},
	'j': {pieceYearDay, 3, 3, 1, 366},
	'G': {pieceISOYear, 1, 4, 0, 9999},
	'V': {pieceISOWeek, 1, 2, 1, 53},
	'u': {pieceISODay, 1, 1, 1, 7},
	'U': {pieceWeek, 1, 2, 0, 53},
	'w': {pieceWeekday, 1, 1, 1, 7},
	'H': {pieceHour, 1, 2, 0, 99},
	'M': {pieceMinute, 2, 2, 0, 99},
	'S': {pieceSecond, 2, 2, 0, 99},
}

func (p *dateParser) scanPiece(letter byte) bool {
	if s, ok := scannedNumbers[letter]; ok {
		n, digits := p.number(s.most)
		if digits < s.least || n < s.from || n > s.to {
			return false
		}
		if s.piece == pieceWeekday {
			n-- // 1 is Sunday
		}
		p.set(s.piece, n)
		return true
	}
	switch letter {
	case 'L':
		begin := p.at
		_, digits := p.number(3)
		p.setFraction(p.text[begin:p.at])
		return digits > 0
	case 'b', 'B':
		return p.scanMonth(letter == 'B')
	case 'z':
		return p.scanZone()
	case 'Z':
		return p.scanMinutes()
	}
	p.at++ // '%', for itself
	return p.text[p.at-1] == '%'
}

func (p *dateParser) scanMonth(whole bool) bool {
	rest := strings.ToLower(p.text[p.at:])
	for month := 12; month > 0; month-- {
		name := strings.ToLower(monthNames[month])
		if !whole {
			name = name[:3]
		}
		if strings.HasPrefix(rest, name) {
			p.at += len(name)
			p.set(pieceMonth, int64(month))
			return true
		}
	}
	return false
}

// scanMinutes reads an offset in minutes.
func (p *dateParser) scanMinutes() bool {
	sign := p.text[p.at]
	if sign != '+' && sign != '-' {
		return false
	}
	p.at++
	n, digits := p.number(4)
	if sign == '-' {
		n = -n
	}
	p.setOffset(int(n) * 60)
	return digits > 0
}

// scanZone reads an offset or an abbreviation.
func (p *dateParser) scanZone() bool {
	rest := p.text[p.at:]
	for _, rule := range zoneRules() {
		if m := rule.pattern.FindStringSubmatch(rest); m != nil {
			begin := p.at
			p.at += len(m[0])
			rule.read(p, begin, m)
			return true
		}
	}
	return false
}
