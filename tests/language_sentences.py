"""Sentences of our own in twelve languages, fifteen in each, of the kinds that prompts and answers are made of."""

SENTENCES = {
    "fr": """Explique-moi comment fonctionne une machine à vapeur.
Écris un court poème sur la pluie en automne.
Le marché ouvre à huit heures tous les samedis matin.
Quels sont les avantages du train par rapport à la voiture ?
Ma sœur a planté des tomates derrière la maison.
Il faut remuer la sauce jusqu'à ce qu'elle épaississe.
Donne trois conseils à quelqu'un qui apprend à nager.
La capitale de l'Australie n'est pas Sydney mais Canberra.
Nous avons perdu nos clés sur la plage hier soir.
Résume le texte suivant en deux phrases simples.
Les abeilles dansent pour indiquer où se trouvent les fleurs.
Je voudrais réserver une table pour quatre personnes.
Pourquoi le ciel devient-il rouge au coucher du soleil ?
Ce livre raconte l'histoire d'un pêcheur et de son fils.
Il vaut mieux dormir assez avant un examen important.""",
    "de": """Erkläre mir bitte, wie ein Kühlschrank funktioniert.
Schreibe ein kurzes Gedicht über den ersten Schnee.
Der Zug nach Hamburg fährt heute von Gleis sieben ab.
Welche Vorteile hat ein Garten mitten in der Stadt?
Meine Großmutter backt jeden Sonntag einen Apfelkuchen.
Man sollte den Teig eine Stunde lang ruhen lassen.
Nenne drei Gründe, warum Bienen wichtig sind.
Die Hauptstadt der Schweiz ist Bern und nicht Zürich.
Wir haben gestern unseren Schlüssel im Auto vergessen.
Fasse den folgenden Text in zwei Sätzen zusammen.
Das Wasser kocht auf einem hohen Berg schon früher.
Ich möchte gern ein Zimmer für zwei Nächte buchen.
Warum ist der Himmel am Abend manchmal rot?
Dieses Buch erzählt von einem Fischer und seinem Sohn.
Es ist besser, vor einer Prüfung genug zu schlafen.""",
    "es": """Explícame cómo funciona un molino de viento.
Escribe un poema corto sobre el mar en invierno.
La tienda abre a las nueve todos los días menos el domingo.
¿Cuáles son las ventajas de vivir cerca del trabajo?
Mi hermano plantó dos limoneros detrás de la casa.
Hay que remover la salsa hasta que espese un poco.
Dame tres consejos para aprender a tocar la guitarra.
La capital de Brasil no es Río de Janeiro, sino Brasilia.
Ayer perdimos las llaves del coche en la playa.
Resume el siguiente texto en dos frases sencillas.
Las hormigas dejan un rastro para encontrar el camino.
Quisiera reservar una mesa para cuatro personas.
¿Por qué los gatos duermen tantas horas al día?
Este libro cuenta la historia de un pescador y su hija.
Es mejor dormir bien antes de un examen importante.""",
    "it": """Spiegami come funziona un orologio a pendolo.
Scrivi una breve poesia sulla neve in montagna.
Il mercato apre alle otto ogni sabato mattina.
Quali sono i vantaggi di andare al lavoro in bicicletta?
Mia nonna prepara gli gnocchi tutte le domeniche.
Bisogna mescolare il sugo finché non diventa denso.
Dammi tre consigli per chi vuole imparare a cucinare.
La capitale della Turchia non è Istanbul ma Ankara.
Ieri sera abbiamo perso le chiavi vicino alla stazione.
Riassumi il testo seguente in due frasi semplici.
Le rondini tornano ogni primavera nello stesso nido.
Vorrei prenotare una camera per due notti.
Perché il cielo diventa rosso quando tramonta il sole?
Questo libro racconta la storia di un pescatore e di suo figlio.
È meglio dormire abbastanza prima di un esame.""",
    "pt": """Explique como funciona um moinho de água.
Escreva um poema curto sobre a chuva no verão.
A padaria abre às sete horas todos os dias.
Quais são as vantagens de morar perto da praia?
Minha irmã plantou duas laranjeiras atrás da casa.
É preciso mexer o molho até que ele fique grosso.
Dê três conselhos para quem está aprendendo a nadar.
A capital da Austrália não é Sydney, e sim Camberra.
Ontem à noite perdemos as chaves do carro no parque.
Resuma o texto seguinte em duas frases simples.
As formigas deixam um rastro para achar o caminho.
Gostaria de reservar uma mesa para quatro pessoas.
Por que os gatos dormem tantas horas por dia?
Este livro conta a história de um pescador e seu filho.
É melhor dormir bem antes de uma prova importante.""",
    "ru": """Объясни, как работает паровой двигатель.
Напиши короткое стихотворение о первом снеге.
Поезд в Москву отправляется с седьмого пути.
Какие преимущества есть у жизни в деревне?
Моя бабушка каждое воскресенье печёт яблочный пирог.
Тесто нужно оставить на час в тёплом месте.
Назови три причины, почему пчёлы важны для людей.
Столица Австралии не Сидней, а Канберра.
Вчера вечером мы потеряли ключи возле вокзала.
Перескажи следующий текст двумя предложениями.
Высоко в горах вода закипает раньше.
Я хотел бы заказать столик на четверых.
Почему небо на закате становится красным?
Эта книга рассказывает о рыбаке и его сыне.
Перед экзаменом лучше хорошо выспаться.""",
    "ar": """اشرح لي كيف تعمل الثلاجة في البيت.
اكتب قصيدة قصيرة عن المطر في الخريف.
يفتح السوق أبوابه في الثامنة صباحا كل يوم سبت.
ما هي فوائد السفر بالقطار بدلا من السيارة؟
زرعت أختي شجرتين من الليمون خلف المنزل.
يجب تحريك الحساء حتى يصبح كثيفا.
أعطني ثلاث نصائح لمن يتعلم السباحة.
عاصمة أستراليا ليست سيدني بل كانبرا.
فقدنا مفاتيح السيارة أمس قرب المحطة.
لخص النص التالي في جملتين بسيطتين.
يغلي الماء في الجبال العالية قبل غيره.
أود أن أحجز طاولة لأربعة أشخاص.
لماذا تصبح السماء حمراء عند غروب الشمس؟
يحكي هذا الكتاب قصة صياد وابنه الصغير.
من الأفضل أن تنام جيدا قبل الامتحان.""",
    "hi": """मुझे समझाओ कि फ्रिज कैसे काम करता है।
बारिश के बारे में एक छोटी कविता लिखो।
बाज़ार हर शनिवार सुबह आठ बजे खुलता है।
गाँव में रहने के क्या फ़ायदे हैं?
मेरी बहन ने घर के पीछे दो पेड़ लगाए।
चाय को पाँच मिनट तक धीमी आँच पर पकाओ।
तैरना सीखने वाले के लिए तीन सुझाव दो।
ऑस्ट्रेलिया की राजधानी सिडनी नहीं, कैनबरा है।
कल शाम हमने अपनी चाबियाँ स्टेशन के पास खो दीं।
नीचे दिए गए पाठ को दो वाक्यों में लिखो।
ऊँचे पहाड़ों पर पानी जल्दी उबलता है।
मैं चार लोगों के लिए एक मेज़ चाहता हूँ।
सूरज डूबते समय आसमान लाल क्यों हो जाता है?
यह किताब एक मछुआरे और उसके बेटे की कहानी है।
परीक्षा से पहले अच्छी नींद लेना बेहतर है।""",
    "ja": """冷蔵庫がどのように動くのか説明してください。
初雪について短い詩を書いてください。
市場は毎週土曜日の朝八時に開きます。
田舎に住むことの良い点は何ですか。
祖母は日曜日ごとにりんごのケーキを焼きます。
生地は暖かい場所で一時間休ませます。
泳ぎを習う人に三つの助言をください。
オーストラリアの首都はシドニーではありません。
昨日の夜、駅の近くで鍵をなくしました。
次の文章を二つの文にまとめてください。
高い山では水が早く沸きます。
四人でテーブルを予約したいのですが。
夕方になると空が赤くなるのはなぜですか。
この本は漁師とその息子の物語です。
試験の前にはよく眠ったほうがいいです。""",
    "ko": """냉장고가 어떻게 작동하는지 설명해 주세요.
첫눈에 대한 짧은 시를 써 주세요.
시장은 매주 토요일 아침 여덟 시에 열립니다.
시골에 사는 것의 좋은 점은 무엇인가요?
할머니는 일요일마다 사과 파이를 구우십니다.
반죽을 따뜻한 곳에서 한 시간 동안 두세요.
수영을 배우는 사람에게 조언을 세 가지 해 주세요.
호주의 수도는 시드니가 아니라 캔버라입니다.
어제 저녁에 역 근처에서 열쇠를 잃어버렸어요.
다음 글을 두 문장으로 요약하세요.
높은 산에서는 물이 더 빨리 끓습니다.
네 사람이 앉을 자리를 예약하고 싶습니다.
해가 질 때 하늘이 왜 붉어지나요?
이 책은 어부와 그의 아들에 대한 이야기입니다.
시험 전에는 푹 자는 것이 좋습니다.""",
    "tr": """Bana buzdolabının nasıl çalıştığını açıkla.
İlk kar hakkında kısa bir şiir yaz.
Pazar her cumartesi sabahı saat sekizde açılır.
Köyde yaşamanın iyi yanları nelerdir?
Ablam evin arkasına iki limon ağacı dikti.
Hamuru sıcak bir yerde bir saat bekletin.
Yüzme öğrenen birine üç öneri ver.
Avustralya'nın başkenti Sidney değil, Canberra'dır.
Dün akşam istasyonun yanında anahtarlarımızı kaybettik.
Aşağıdaki metni iki cümleyle özetle.
Yüksek dağlarda su daha erken kaynar.
Dört kişilik bir masa ayırtmak istiyorum.
Güneş batarken gökyüzü neden kırmızı olur?
Bu kitap bir balıkçının ve oğlunun hikâyesini anlatır.
Sınavdan önce iyi uyumak daha iyidir.""",
    "vi": """Hãy giải thích cách hoạt động của tủ lạnh.
Viết một bài thơ ngắn về cơn mưa mùa thu.
Chợ mở cửa lúc tám giờ sáng thứ bảy hằng tuần.
Sống ở nông thôn có những ưu điểm gì?
Chị tôi trồng hai cây chanh ở sau nhà.
Để bột nghỉ một tiếng ở nơi ấm áp.
Cho ba lời khuyên với người đang học bơi.
Thủ đô của Úc không phải là Sydney mà là Canberra.
Tối qua chúng tôi làm mất chìa khóa gần nhà ga.
Tóm tắt đoạn văn sau bằng hai câu đơn giản.
Trên núi cao nước sôi sớm hơn.
Tôi muốn đặt một bàn cho bốn người.
Vì sao bầu trời chuyển sang màu đỏ lúc hoàng hôn?
Cuốn sách này kể về một người đánh cá và con trai.
Tốt hơn là ngủ đủ giấc trước kỳ thi.""",
}
