# الكلمات الثابتة للرسائل والصفحات بالعربية.

weekday = { $weekday ->
    [1] الاثنين
    [2] الثلاثاء
    [3] الأربعاء
    [4] الخميس
    [5] الجمعة
    [6] السبت
   *[7] الأحد
}
month = { $month ->
    [1] يناير
    [2] فبراير
    [3] مارس
    [4] أبريل
    [5] مايو
    [6] يونيو
    [7] يوليو
    [8] أغسطس
    [9] سبتمبر
    [10] أكتوبر
    [11] نوفمبر
   *[12] ديسمبر
}
date = { $day } { month } { $year }
date-with-weekday = { weekday }، { $day } { month } { $year }
list-next = { $before }، { $next }
list-last = { $before } و{ $last }

subject = { $count ->
    [0] { $title }
    [one] { $title } ومقالة أخرى
    [two] { $title } ومقالتان أخريان
    [few] { $title } و{ $count } مقالات أخرى
   *[other] { $title } و{ $count } مقالة أخرى
}
issue-number = العدد { $number }
view-in-browser = اقرأ في المتصفح
in-this-issue = في هذا العدد
more-in-this-issue = { $count ->
    [zero] لا مقالات أخرى
    [one] مقالة أخرى
    [two] مقالتان أخريان
    [few] { $count } مقالات أخرى
    [many] { $count } مقالة أخرى
   *[other] { $count } مقالة أخرى
}
by = بقلم { $authors }
read-whole-story = اقرأ المقالة كاملة
read-on = تابع القراءة
read-on-about = تابع القراءة: { $title }
reader = عزيزنا القارئ

why-issue = تصلك هذه الرسالة لأنك طلبت { $digest } من { $publication }.
why-notice = تصلك هذه الرسالة بسبب اشتراك في { $digest } من { $publication }.
sent-to = أُرسلت إلى { $address }.
our-readers = قرائنا
picture-in-text = صورة:
note-in-text = ملاحظة
unsubscribe = إلغاء الاشتراك
preferences = اختر ما يصلك

confirm-subject = يُرجى التأكيد: { $digest }
confirm-preheader = ضغطة زر واحدة وتصلك الرسالة القادمة.
confirm-heading = خطوة واحدة أخيرة
confirm-text = أُعطي لنا هذا العنوان لإرسال { $digest } من { $publication }. إن كنت أنت من طلب ذلك فالرجاء التأكيد. ولن يُرسل شيء قبل ذلك.
confirm-button = نعم، أرسلوها إليّ
confirm-valid = { $hours ->
    [one] يعمل الزر لساعة واحدة.
    [two] يعمل الزر لساعتين.
    [few] يعمل الزر لمدة { $hours } ساعات.
   *[other] يعمل الزر لمدة { $hours } ساعة.
}
confirm-ignore = إن لم تكن أنت من طلب ذلك فلا حاجة إلى فعل شيء، ولن نراسلك مرة أخرى.
confirm-never = لا تراسلوا هذا العنوان أبدًا

welcome-subject = أهلًا بك في { $digest }
welcome-preheader = أنت الآن على القائمة.
welcome-heading = أهلًا بك
welcome-text = شكرًا لك. من الآن يصل { $digest } من { $publication } إلى هذا العنوان.
welcome-leave = يمكنك إلغاء الاشتراك في أي وقت من الرابط في أسفل كل رسالة.
visit = زيارة { $publication }

goodbye-subject = أُلغي اشتراكك في { $digest }
goodbye-preheader = لن يُرسل شيء بعد الآن.
goodbye-heading = إلى اللقاء
goodbye-text = لن يُرسل { $digest } من { $publication } إلى هذا العنوان بعد الآن.
goodbye-again = إن كان ذلك خطأً فيمكنك الاشتراك من جديد متى شئت.

button-address = إن لم يعمل الزر فافتح هذا العنوان:

page-of = الصفحة { $number } من { $of }
newer = الأحدث
older = الأقدم
updated = حُدِّثت في { $date }

## صفحات القرّاء
page-leave-heading = إلغاء الاشتراك
page-leave-text = لم يتغيّر شيء بعد. اضغط على الزر فتخرج من القائمة في الحال.
page-leave-legend = ما الذي تريد تركه؟
page-leave-digest = الرسالة التي جاء معها هذا الرابط
page-leave-all = كل ما يأتي من { $publication }
page-leave-never = كل شيء، ولا تكتبوا إلى هذا العنوان أبدًا
page-left-heading = أُلغي اشتراكك
page-left-text = من الآن لن يُرسل إليك شيء مما تركته.
page-left-under-way = قد تصلك رسالة كانت في الطريق بالفعل.
page-busy-heading = حاول مرة أخرى من فضلك
page-busy-text = لم ينجح هذا الآن. حاول بعد دقيقة؛ لم يضع شيء.
page-dead-link-heading = هذا الرابط لا يعمل
page-dead-link-text = ربما انقطع في طريقه إليك، أو صار قديمًا. استعمل الرابط في أسفل أحدث رسالة.
page-leave-everything = إلغاء الاشتراك في كل شيء
page-preferences-heading = ما يصلك
page-preferences-for = للعنوان { $address }
page-saved = حُفظ. من الرسالة القادمة يصلك ما اخترته.
page-no-digest = اختر رسالة واحدة على الأقل، أو ألغِ الاشتراك في الأسفل.
page-inactive = لا تُرسل إليك رسائل في الوقت الحالي.
page-digests = الرسائل
page-sections = الأقسام
page-tags = المواضيع
page-topics-hint = اختر بعضها لتصلك مقالاتها وحدها. إن لم تختر شيئًا تصلك كلها.
page-content = كم من كل مقالة
page-content-usual = كما هي في الرسالة
page-content-full = المقالة كاملة
page-content-summary = ملخّص
page-language = اللغة
page-language-any = كل اللغات
page-language-name = العربية
page-pause = توقّف
page-pause-none = بلا توقّف
page-pause-weeks = { $count ->
    [one] أسبوع واحد بلا رسائل
    [two] أسبوعان بلا رسائل
    [few] { $count } أسابيع بلا رسائل
   *[other] { $count } أسبوعًا بلا رسائل
}
page-pause-until = بلا رسائل حتى { $date }
page-name = اسمك، إن شئت
page-save = حفظ
page-subscribe-heading = اشترك
page-subscribe-button = اشترك
page-subscribe-consent = بالضغط على الزر تطلب من { $publication } أن تكتب إلى هذا العنوان. تصلك أولًا رسالة تقول فيها نعم؛ وبدونها لا يصل شيء آخر. يمكنك أن تترك القائمة في أي وقت بالرابط في أسفل كل رسالة.
page-subscribe-no-digest = اختر رسالة واحدة على الأقل.
page-email = البريد الإلكتروني
page-no-address = انظر إلى العنوان مرة أخرى من فضلك: لا يمكن إرسال بريد إليه كما هو مكتوب.
page-again = بقيت خطوة: راجع ما كتبته، واضغط على الزر مرة أخرى.
page-trap = اترك هذا الحقل فارغًا
page-asked-heading = انظر في صندوق بريدك
page-asked-text = رسالة في طريقها إليك إن كان هذا العنوان يستطيع استلام رسائلنا. اضغط على الزر فيها فتصلك الرسائل. إن لم تصل فانظر في مجلد البريد غير المرغوب فيه.
page-closed-heading = عُد لاحقًا من فضلك
page-closed-text = يشترك الآن عدد كبير في وقت واحد. لم يُرسل شيء. حاول بعد ساعة من فضلك.
page-confirm-text = اضغط على الزر فتصل الرسائل التي طلبتها إلى عنوانك.
page-confirmed-heading = أنت في القائمة
page-confirmed-text = شكرًا. الرسالة القادمة تصل إلى عنوانك.
page-own-data = بياناتك
page-export = احصل على كل ما نحتفظ به عنك
page-erase-text = يمكنك أن تطلب إزالتها كلها. عندئذ لا تصل أي رسالة، ولا يمكن التراجع عن ذلك.
page-erase-sure = نعم، أزيلوا كل شيء عني
page-erase = أزيلوا بياناتي
page-erased-heading = أُزيلت
page-erased-text = أُزيل كل شيء عنك سوى رمز لا يُقرأ منه عنوانك، يمنعنا من الكتابة إليك مرة أخرى.
