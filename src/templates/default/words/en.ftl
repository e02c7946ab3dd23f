# The fixed words of letters and pages, in English. What stands after a dollar
# sign is put in when a letter is rendered.

## Dates and lists
weekday = { $weekday ->
    [1] Monday
    [2] Tuesday
    [3] Wednesday
    [4] Thursday
    [5] Friday
    [6] Saturday
   *[7] Sunday
}
month = { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
}
date = { $day } { month } { $year }
date-with-weekday = { weekday }, { $day } { month } { $year }
list-next = { $before }, { $next }
list-last = { $before } and { $last }

## An issue
subject = { $count ->
    [0] { $title }
   *[other] { $title } and { $count } more
}
issue-number = No. { $number }
view-in-browser = View in your browser
in-this-issue = In this issue
more-in-this-issue = { $count ->
    [one] One more story
   *[other] { $count } more stories
}
by = By { $authors }
read-whole-story = Read the whole story
read-on = Read on
read-on-about = Read on: { $title }
reader = reader

## The foot of every message
why-issue = You receive this letter because you asked for { $digest } from { $publication }.
why-notice = You receive this message because of a subscription to { $digest } from { $publication }.
sent-to = It was sent to { $address }.
our-readers = our readers
picture-in-text = Picture:
note-in-text = note
unsubscribe = Unsubscribe
preferences = Choose what you get

## Asking for a yes
confirm-subject = Please confirm: { $digest }
confirm-preheader = One press of a button, and it is yours.
confirm-heading = One more step
confirm-text = This address was given to us for { $digest }, the letter of { $publication }. If it was you, please confirm it. Until you do, nothing is sent.
confirm-button = Yes, send it to me
confirm-valid = { $hours ->
    [one] The button works for one hour.
   *[other] The button works for { $hours } hours.
}
confirm-ignore = If it was not you, do nothing, and you will not hear from us again.
confirm-never = Never write to this address again

## After the yes
welcome-subject = Welcome to { $digest }
welcome-preheader = You are on the list.
welcome-heading = Welcome
welcome-text = Thank you. From now on { $digest } from { $publication } comes to this address.
welcome-leave = You can leave at any time, with the link at the foot of every letter.
visit = Visit { $publication }

## Leaving
goodbye-subject = You have left { $digest }
goodbye-preheader = Nothing more will be sent.
goodbye-heading = Goodbye
goodbye-text = { $digest } from { $publication } is not sent to this address any more.
goodbye-again = If that was a mistake, you can subscribe again whenever you like.

button-address = If the button does not work, open this address:

## Pages
page-of = Page { $number } of { $of }
newer = Newer
older = Older
updated = Updated { $date }

## The pages of readers
page-leave-heading = Unsubscribe
page-leave-text = Nothing has changed yet. Press the button, and you are off the list at once.
page-leave-legend = What do you want to leave?
page-leave-digest = The letter that this link came with
page-leave-all = Everything from { $publication }
page-leave-never = Everything, and never write to this address again
page-left-heading = You are unsubscribed
page-left-text = From now on nothing is sent to you from what you left.
page-left-under-way = A letter that is already on its way may still arrive.
page-busy-heading = Please try again
page-busy-text = This did not work just now. Try again in a minute; nothing is lost.
page-dead-link-heading = This link does not work
page-dead-link-text = It may have been cut off on its way to you, or it is too old. Use the link at the foot of the newest letter.
page-leave-everything = Unsubscribe from everything
page-preferences-heading = What you get
page-preferences-for = For { $address }
page-saved = Saved. From the next letter on you get what you chose.
page-no-digest = Choose at least one letter, or unsubscribe below.
page-inactive = No letters are sent to you at the moment.
page-digests = Letters
page-sections = Sections
page-tags = Topics
page-topics-hint = Choose some to get only articles about these. Choose none to get them all.
page-content = How much of each article
page-content-usual = As the letter has it
page-content-full = The whole article
page-content-summary = A summary
page-language = Language
page-language-any = Every language
page-language-name = English
page-pause = Pause
page-pause-none = No pause
page-pause-weeks = { $count ->
    [one] One week without letters
   *[other] { $count } weeks without letters
}
page-pause-until = Without letters until { $date }
page-name = Your name, if you like
page-save = Save
page-subscribe-heading = Subscribe
page-subscribe-button = Subscribe
page-subscribe-consent = With the button you ask { $publication } to write to this address. You get a message first in which you say yes; without that, nothing more comes. You can leave at any time, with the link at the foot of every letter.
page-subscribe-no-digest = Choose at least one letter.
page-email = E-mail address
page-no-address = Please look at the address again: as it is written, no mail can be sent to it.
page-again = Almost done: look at what you wrote, and press the button once more.
page-trap = Leave this field empty
page-asked-heading = Look into your mailbox
page-asked-text = A message is on its way to you, if this address can get our letters. Press the button in it, and the letters come. If none arrives, look into the folder for unwanted mail.
page-closed-heading = Please come back later
page-closed-text = Just now too many people sign up at once. Nothing was sent. Please try again in an hour.
page-confirm-text = Press the button, and the letters you asked for come to your address.
page-confirmed-heading = You are on the list
page-confirmed-text = Thank you. The next letter comes to your address.
page-own-data = Your data
page-export = Get everything that is kept about you
page-erase-text = You can have it all removed. Then no letter comes any more, and it cannot be undone.
page-erase-sure = Yes, remove everything about me
page-erase = Remove my data
page-erased-heading = Removed
page-erased-text = Everything about you is removed, but for a code from which your address cannot be read. It keeps us from writing to you again.
