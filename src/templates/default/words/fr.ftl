# Les mots fixes des lettres et des pages, en français.

weekday = { $weekday ->
    [1] lundi
    [2] mardi
    [3] mercredi
    [4] jeudi
    [5] vendredi
    [6] samedi
   *[7] dimanche
}
month = { $month ->
    [1] janvier
    [2] février
    [3] mars
    [4] avril
    [5] mai
    [6] juin
    [7] juillet
    [8] août
    [9] septembre
    [10] octobre
    [11] novembre
   *[12] décembre
}
day = { $day ->
    [1] 1er
   *[other] { $day }
}
date = { day } { month } { $year }
date-with-weekday = { weekday } { day } { month } { $year }
list-next = { $before }, { $next }
list-last = { $before } et { $last }

subject = { $count ->
    [0] { $title }
    [1] { $title } et un autre article
   *[other] { $title } et { $count } autres articles
}
issue-number = No { $number }
view-in-browser = Lire dans votre navigateur
in-this-issue = Dans ce numéro
more-in-this-issue = { $count ->
    [one] Un autre article
   *[other] { $count } autres articles
}
by = Par { $authors }
read-whole-story = Lire l’article entier
read-on = Lire la suite
read-on-about = Lire la suite : { $title }
reader = chère lectrice, cher lecteur

why-issue = Vous recevez cette lettre parce que vous avez demandé { $digest } de { $publication }.
why-notice = Vous recevez ce message en raison d’un abonnement à { $digest } de { $publication }.
sent-to = Elle a été envoyée à { $address }.
our-readers = nos lecteurs
picture-in-text = Image :
note-in-text = note
unsubscribe = Se désabonner
preferences = Choisir ce que vous recevez

confirm-subject = Merci de confirmer : { $digest }
confirm-preheader = Un clic, et la prochaine lettre est pour vous.
confirm-heading = Encore une étape
confirm-text = Cette adresse nous a été donnée pour { $digest }, la lettre de { $publication }. Si c’était vous, merci de le confirmer. D’ici là, rien ne sera envoyé.
confirm-button = Oui, envoyez-la-moi
confirm-valid = { $hours ->
    [one] Le bouton fonctionne pendant { $hours } heure.
   *[other] Le bouton fonctionne pendant { $hours } heures.
}
confirm-ignore = Si ce n’était pas vous, ne faites rien : vous n’entendrez plus parler de nous.
confirm-never = Ne plus jamais écrire à cette adresse

welcome-subject = Bienvenue à { $digest }
welcome-preheader = Vous êtes sur la liste.
welcome-heading = Bienvenue
welcome-text = Merci. Désormais, { $digest } de { $publication } arrive à cette adresse.
welcome-leave = Vous pouvez vous désabonner à tout moment, par le lien au pied de chaque lettre.
visit = Visiter { $publication }

goodbye-subject = Vous avez quitté { $digest }
goodbye-preheader = Plus rien ne sera envoyé.
goodbye-heading = Au revoir
goodbye-text = { $digest } de { $publication } n’est plus envoyé à cette adresse.
goodbye-again = Si c’était une erreur, vous pouvez vous réabonner quand vous voulez.

button-address = Si le bouton ne fonctionne pas, ouvrez cette adresse :

page-of = Page { $number } sur { $of }
newer = Plus récents
older = Plus anciens
updated = Mis à jour : { $date }

## Les pages des lecteurs
page-leave-heading = Se désabonner
page-leave-text = Rien n’a encore changé. Appuyez sur le bouton, et vous quittez la liste aussitôt.
page-leave-legend = Que voulez-vous quitter ?
page-leave-digest = La lettre d’où vient ce lien
page-leave-all = Tout ce qui vient de { $publication }
page-leave-never = Tout, et ne plus jamais écrire à cette adresse
page-left-heading = Vous êtes désabonné
page-left-text = Désormais, rien de ce que vous avez quitté ne vous sera envoyé.
page-left-under-way = Une lettre déjà en route peut encore arriver.
page-busy-heading = Veuillez réessayer
page-busy-text = Cela n’a pas marché à l’instant. Réessayez dans une minute ; rien n’est perdu.
page-dead-link-heading = Ce lien ne fonctionne pas
page-dead-link-text = Il a peut-être été coupé en chemin, ou il est trop ancien. Utilisez le lien au pied de la lettre la plus récente.
page-leave-everything = Se désabonner de tout
page-preferences-heading = Ce que vous recevez
page-preferences-for = Pour { $address }
page-saved = Enregistré. Dès la prochaine lettre, vous recevez ce que vous avez choisi.
page-no-digest = Choisissez au moins une lettre, ou désabonnez-vous plus bas.
page-inactive = Aucune lettre ne vous est envoyée en ce moment.
page-digests = Lettres
page-sections = Rubriques
page-tags = Sujets
page-topics-hint = Choisissez-en pour ne recevoir que les articles à leur propos. Sans choix, vous les recevez tous.
page-content = Quelle part de chaque article
page-content-usual = Comme dans la lettre
page-content-full = L’article entier
page-content-summary = Un résumé
page-language = Langue
page-language-any = Toutes les langues
page-language-name = Français
page-pause = Pause
page-pause-none = Pas de pause
page-pause-weeks = { $count ->
    [one] Une semaine sans lettres
   *[other] { $count } semaines sans lettres
}
page-pause-until = Sans lettres jusqu’au { $date }
page-name = Votre nom, si vous voulez
page-save = Enregistrer
page-subscribe-heading = S’abonner
page-subscribe-button = S’abonner
page-subscribe-consent = Avec ce bouton, vous demandez à { $publication } d’écrire à cette adresse. Vous recevez d’abord un message où vous dites oui ; sans cela, rien d’autre ne vient. Vous pouvez partir à tout moment, avec le lien au pied de chaque lettre.
page-subscribe-no-digest = Choisissez au moins une lettre.
page-email = Adresse électronique
page-no-address = Veuillez revoir l’adresse : écrite ainsi, aucun courrier ne peut y être envoyé.
page-again = C’est presque fait : relisez ce que vous avez écrit, et appuyez encore une fois sur le bouton.
page-trap = Laissez ce champ vide
page-asked-heading = Regardez dans votre boîte
page-asked-text = Un message est en route vers vous, si cette adresse peut recevoir nos lettres. Appuyez sur son bouton, et les lettres viennent. S’il n’arrive pas, regardez dans le dossier du courrier indésirable.
page-closed-heading = Veuillez revenir plus tard
page-closed-text = En ce moment, trop de personnes s’abonnent à la fois. Rien n’a été envoyé. Veuillez réessayer dans une heure.
page-confirm-text = Appuyez sur le bouton, et les lettres que vous avez demandées viennent à votre adresse.
page-confirmed-heading = Vous êtes sur la liste
page-confirmed-text = Merci. La prochaine lettre vient à votre adresse.
page-own-data = Vos données
page-export = Obtenir tout ce qui est conservé à votre sujet
page-erase-text = Vous pouvez tout faire supprimer. Plus aucune lettre ne vient alors, et cela ne peut être annulé.
page-erase-sure = Oui, tout supprimer à mon sujet
page-erase = Supprimer mes données
page-erased-heading = Supprimé
page-erased-text = Tout à votre sujet est supprimé, sauf un code d’où votre adresse ne peut être lue. Il nous empêche de vous écrire de nouveau.
