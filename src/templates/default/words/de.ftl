# Die festen Wörter der Briefe und Seiten, auf Deutsch.

weekday = { $weekday ->
    [1] Montag
    [2] Dienstag
    [3] Mittwoch
    [4] Donnerstag
    [5] Freitag
    [6] Samstag
   *[7] Sonntag
}
month = { $month ->
    [1] Januar
    [2] Februar
    [3] März
    [4] April
    [5] Mai
    [6] Juni
    [7] Juli
    [8] August
    [9] September
    [10] Oktober
    [11] November
   *[12] Dezember
}
date = { $day }. { month } { $year }
date-with-weekday = { weekday }, { $day }. { month } { $year }
list-next = { $before }, { $next }
list-last = { $before } und { $last }

subject = { $count ->
    [0] { $title }
    [one] { $title } und ein weiterer Artikel
   *[other] { $title } und { $count } weitere Artikel
}
issue-number = Nr. { $number }
view-in-browser = Im Browser ansehen
in-this-issue = In dieser Ausgabe
more-in-this-issue = { $count ->
    [one] Ein weiterer Artikel
   *[other] { $count } weitere Artikel
}
by = Von { $authors }
read-whole-story = Den ganzen Artikel lesen
read-on = Weiterlesen
read-on-about = Weiterlesen: { $title }
reader = liebe Leserin, lieber Leser

why-issue = Sie erhalten diesen Brief, weil Sie { $digest } von { $publication } bestellt haben.
why-notice = Sie erhalten diese Nachricht wegen eines Abonnements von { $digest } bei { $publication }.
sent-to = Er ging an { $address }.
our-readers = unsere Leserinnen und Leser
picture-in-text = Bild:
note-in-text = Anmerkung
unsubscribe = Abbestellen
preferences = Auswählen, was Sie erhalten

confirm-subject = Bitte bestätigen: { $digest }
confirm-preheader = Ein Klick, und der nächste Brief kommt zu Ihnen.
confirm-heading = Noch ein Schritt
confirm-text = Diese Adresse wurde uns für { $digest }, den Brief von { $publication }, genannt. Waren Sie das, dann bestätigen Sie es bitte. Bis dahin wird nichts verschickt.
confirm-button = Ja, bitte schicken
confirm-valid = { $hours ->
    [one] Der Knopf funktioniert eine Stunde lang.
   *[other] Der Knopf funktioniert { $hours } Stunden lang.
}
confirm-ignore = Waren Sie es nicht, brauchen Sie nichts zu tun. Sie hören dann nicht mehr von uns.
confirm-never = Nie wieder an diese Adresse schreiben

welcome-subject = Willkommen bei { $digest }
welcome-preheader = Sie stehen auf der Liste.
welcome-heading = Willkommen
welcome-text = Vielen Dank. Von nun an kommt { $digest } von { $publication } an diese Adresse.
welcome-leave = Sie können jederzeit abbestellen, mit dem Link am Fuß jedes Briefes.
visit = { $publication } besuchen

goodbye-subject = { $digest } ist abbestellt
goodbye-preheader = Es wird nichts mehr verschickt.
goodbye-heading = Auf Wiedersehen
goodbye-text = { $digest } von { $publication } wird nicht mehr an diese Adresse geschickt.
goodbye-again = War das ein Versehen, können Sie jederzeit wieder bestellen.

button-address = Funktioniert der Knopf nicht, öffnen Sie diese Adresse:

page-of = Seite { $number } von { $of }
newer = Neuere
older = Ältere
updated = Aktualisiert: { $date }

## Die Seiten der Leser
page-leave-heading = Abbestellen
page-leave-text = Noch hat sich nichts geändert. Ein Druck auf den Knopf, und Sie stehen nicht mehr auf der Liste.
page-leave-legend = Was möchten Sie abbestellen?
page-leave-digest = Den Brief, in dem dieser Link stand
page-leave-all = Alles von { $publication }
page-leave-never = Alles, und nie wieder an diese Adresse schreiben
page-left-heading = Sie haben abbestellt
page-left-text = Ab jetzt bekommen Sie von dem, was Sie abbestellt haben, nichts mehr.
page-left-under-way = Ein Brief, der schon unterwegs ist, kann noch ankommen.
page-busy-heading = Bitte versuchen Sie es noch einmal
page-busy-text = Das hat gerade nicht geklappt. Versuchen Sie es in einer Minute noch einmal; nichts ist verloren.
page-dead-link-heading = Dieser Link geht nicht
page-dead-link-text = Vielleicht wurde er unterwegs abgeschnitten, oder er ist zu alt. Nehmen Sie den Link am Fuß des neuesten Briefes.
page-leave-everything = Alles abbestellen
page-preferences-heading = Was Sie bekommen
page-preferences-for = Für { $address }
page-saved = Gespeichert. Ab dem nächsten Brief bekommen Sie, was Sie gewählt haben.
page-no-digest = Wählen Sie mindestens einen Brief, oder bestellen Sie unten ab.
page-inactive = Zurzeit werden Ihnen keine Briefe geschickt.
page-digests = Briefe
page-sections = Rubriken
page-tags = Themen
page-topics-hint = Wählen Sie einige, um nur Artikel darüber zu bekommen. Ohne Auswahl bekommen Sie alle.
page-content = Wie viel von jedem Artikel
page-content-usual = Wie der Brief ihn bringt
page-content-full = Den ganzen Artikel
page-content-summary = Eine Zusammenfassung
page-language = Sprache
page-language-any = Alle Sprachen
page-language-name = Deutsch
page-pause = Pause
page-pause-none = Keine Pause
page-pause-weeks = { $count ->
    [one] Eine Woche ohne Briefe
   *[other] { $count } Wochen ohne Briefe
}
page-pause-until = Ohne Briefe bis { $date }
page-name = Ihr Name, wenn Sie mögen
page-save = Speichern
page-subscribe-heading = Abonnieren
page-subscribe-button = Abonnieren
page-subscribe-consent = Mit dem Knopf bitten Sie { $publication }, an diese Adresse zu schreiben. Zuerst bekommen Sie eine Nachricht, in der Sie Ja sagen; ohne das kommt nichts weiter. Abbestellen können Sie jederzeit, mit dem Link am Fuß jedes Briefes.
page-subscribe-no-digest = Wählen Sie mindestens einen Brief.
page-email = E-Mail-Adresse
page-no-address = Bitte sehen Sie sich die Adresse noch einmal an: So geschrieben, kann keine Post dorthin geschickt werden.
page-again = Fast fertig: Sehen Sie sich an, was Sie geschrieben haben, und drücken Sie den Knopf noch einmal.
page-trap = Lassen Sie dieses Feld leer
page-asked-heading = Sehen Sie in Ihr Postfach
page-asked-text = Eine Nachricht ist zu Ihnen unterwegs, wenn diese Adresse unsere Briefe bekommen kann. Drücken Sie den Knopf darin, und die Briefe kommen. Kommt keine an, sehen Sie im Ordner für unerwünschte Post nach.
page-closed-heading = Bitte kommen Sie später wieder
page-closed-text = Gerade melden sich zu viele gleichzeitig an. Es wurde nichts verschickt. Bitte versuchen Sie es in einer Stunde noch einmal.
page-confirm-text = Drücken Sie den Knopf, und die Briefe, um die Sie gebeten haben, kommen an Ihre Adresse.
page-confirmed-heading = Sie stehen auf der Liste
page-confirmed-text = Danke. Der nächste Brief kommt an Ihre Adresse.
page-own-data = Ihre Daten
page-export = Alles holen, was über Sie gespeichert ist
page-erase-text = Sie können alles entfernen lassen. Dann kommt kein Brief mehr, und es lässt sich nicht rückgängig machen.
page-erase-sure = Ja, alles über mich entfernen
page-erase = Meine Daten entfernen
page-erased-heading = Entfernt
page-erased-text = Alles über Sie ist entfernt, bis auf einen Code, aus dem sich Ihre Adresse nicht lesen lässt. Er verhindert, dass wir Ihnen wieder schreiben.
