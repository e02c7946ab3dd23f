# Die vaste woorde van briewe en bladsye, in Afrikaans.

weekday = { $weekday ->
    [1] Maandag
    [2] Dinsdag
    [3] Woensdag
    [4] Donderdag
    [5] Vrydag
    [6] Saterdag
   *[7] Sondag
}
month = { $month ->
    [1] Januarie
    [2] Februarie
    [3] Maart
    [4] April
    [5] Mei
    [6] Junie
    [7] Julie
    [8] Augustus
    [9] September
    [10] Oktober
    [11] November
   *[12] Desember
}
date = { $day } { month } { $year }
date-with-weekday = { weekday } { $day } { month } { $year }
list-next = { $before }, { $next }
list-last = { $before } en { $last }

subject = { $count ->
    [0] { $title }
   *[other] { $title } en nog { $count }
}
issue-number = Nr. { $number }
view-in-browser = Lees in jou blaaier
in-this-issue = In hierdie uitgawe
more-in-this-issue = { $count ->
    [one] Nog een storie
   *[other] Nog { $count } stories
}
by = Deur { $authors }
read-whole-story = Lees die hele storie
read-on = Lees verder
read-on-about = Lees verder: { $title }
reader = leser

why-issue = Jy ontvang hierdie brief omdat jy vir { $digest } van { $publication } gevra het.
why-notice = Jy ontvang hierdie boodskap weens ’n intekening op { $digest } van { $publication }.
sent-to = Dit is aan { $address } gestuur.
our-readers = ons lesers
picture-in-text = Prent:
note-in-text = nota
unsubscribe = Teken uit
preferences = Kies wat jy kry

confirm-subject = Bevestig asseblief: { $digest }
confirm-preheader = Een druk op ’n knoppie, en dit is joune.
confirm-heading = Nog net een stap
confirm-text = Hierdie adres is aan ons gegee vir { $digest }, die brief van { $publication }. As dit jy was, bevestig dit asseblief. Tot dan word niks gestuur nie.
confirm-button = Ja, stuur dit vir my
confirm-valid = { $hours ->
    [one] Die knoppie werk een uur lank.
   *[other] Die knoppie werk { $hours } uur lank.
}
confirm-ignore = As dit nie jy was nie, hoef jy niks te doen nie; jy sal nie weer van ons hoor nie.
confirm-never = Moet nooit weer aan hierdie adres skryf nie

welcome-subject = Welkom by { $digest }
welcome-preheader = Jy is op die lys.
welcome-heading = Welkom
welcome-text = Dankie. Van nou af kom { $digest } van { $publication } na hierdie adres.
welcome-leave = Jy kan enige tyd uitteken, met die skakel onderaan elke brief.
visit = Besoek { $publication }

goodbye-subject = Jy is van { $digest } uitgeteken
goodbye-preheader = Niks meer word gestuur nie.
goodbye-heading = Totsiens
goodbye-text = { $digest } van { $publication } word nie meer na hierdie adres gestuur nie.
goodbye-again = As dit ’n fout was, kan jy weer inteken wanneer jy wil.

button-address = As die knoppie nie werk nie, maak hierdie adres oop:

page-of = Bladsy { $number } van { $of }
newer = Nuwer
older = Ouer
updated = Bygewerk { $date }

## Die lesers se bladsye
page-leave-heading = Teken uit
page-leave-text = Niks het nog verander nie. Druk die knoppie, en jy is dadelik van die lys af.
page-leave-legend = Wat wil jy verlaat?
page-leave-digest = Die brief waarmee hierdie skakel gekom het
page-leave-all = Alles van { $publication }
page-leave-never = Alles, en skryf nooit weer aan hierdie adres nie
page-left-heading = Jy is uitgeteken
page-left-text = Van nou af word niks meer van wat jy verlaat het aan jou gestuur nie.
page-left-under-way = ’n Brief wat reeds op pad is, kan nog aankom.
page-busy-heading = Probeer asseblief weer
page-busy-text = Dit het nie nou gewerk nie. Probeer oor ’n minuut weer; niks is verlore nie.
page-dead-link-heading = Hierdie skakel werk nie
page-dead-link-text = Dit is dalk op pad na jou afgesny, of dit is te oud. Gebruik die skakel aan die voet van die nuutste brief.
page-leave-everything = Teken uit alles uit
page-preferences-heading = Wat jy kry
page-preferences-for = Vir { $address }
page-saved = Gestoor. Van die volgende brief af kry jy wat jy gekies het.
page-no-digest = Kies ten minste een brief, of teken hieronder uit.
page-inactive = Op die oomblik word geen briewe aan jou gestuur nie.
page-digests = Briewe
page-sections = Afdelings
page-tags = Onderwerpe
page-topics-hint = Kies enkeles om net artikels daaroor te kry. Kies geen om almal te kry.
page-content = Hoeveel van elke artikel
page-content-usual = Soos die brief dit het
page-content-full = Die hele artikel
page-content-summary = ’n Opsomming
page-language = Taal
page-language-any = Alle tale
page-language-name = Afrikaans
page-pause = Pouse
page-pause-none = Geen pouse
page-pause-weeks = { $count ->
    [one] Een week sonder briewe
   *[other] { $count } weke sonder briewe
}
page-pause-until = Sonder briewe tot { $date }
page-name = Jou naam, as jy wil
page-save = Stoor
page-subscribe-heading = Teken in
page-subscribe-button = Teken in
page-subscribe-consent = Met die knoppie vra jy { $publication } om aan hierdie adres te skryf. Jy kry eers ’n boodskap waarin jy ja sê; daarsonder kom niks verder nie. Jy kan enige tyd uitteken, met die skakel aan die voet van elke brief.
page-subscribe-no-digest = Kies ten minste een brief.
page-email = E-posadres
page-no-address = Kyk asseblief weer na die adres: soos dit geskryf is, kan geen pos daarheen gestuur word nie.
page-again = Amper klaar: kyk na wat jy geskryf het, en druk die knoppie nog een keer.
page-trap = Laat hierdie veld leeg
page-asked-heading = Kyk in jou posbus
page-asked-text = ’n Boodskap is op pad na jou, as hierdie adres ons briewe kan kry. Druk die knoppie daarin, en die briewe kom. Kom daar niks nie, kyk in die vouer vir ongewenste pos.
page-closed-heading = Kom asseblief later terug
page-closed-text = Op die oomblik teken te veel mense gelyk in. Niks is gestuur nie. Probeer asseblief oor ’n uur weer.
page-confirm-text = Druk die knoppie, en die briewe waarvoor jy gevra het, kom na jou adres.
page-confirmed-heading = Jy is op die lys
page-confirmed-text = Dankie. Die volgende brief kom na jou adres.
page-own-data = Jou data
page-export = Kry alles wat oor jou gehou word
page-erase-text = Jy kan alles laat verwyder. Dan kom daar geen brief meer nie, en dit kan nie ongedaan gemaak word nie.
page-erase-sure = Ja, verwyder alles oor my
page-erase = Verwyder my data
page-erased-heading = Verwyder
page-erased-text = Alles oor jou is verwyder, behalwe ’n kode waaruit jou adres nie gelees kan word nie. Dit keer dat ons weer aan jou skryf.
